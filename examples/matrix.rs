// SPDX-License-Identifier: Apache-2.0
//! Dense matrices of `f64`, stored row by row.

use std::ops::{Index, IndexMut};

#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Matrix { rows, columns, values: vec![⟦?10⟧] }
    }

    pub fn identity(size: usize) -> Self {
        let mut matrix = Matrix::zeros(size, size);
        for i in 0..size {
            ⟦?12⟧;
        }
        matrix
    }

    pub fn transposed(&self) -> Self {
        let mut result = Matrix::zeros(⟦?8⟧);
        for row in 0..self.rows {
            for column in 0..self.columns {
                result[(column, row)] = ⟦?10⟧;
            }
        }
        result
    }

    /// The product, or `None` when the shapes do not fit.
    pub fn times(&self, other: &Matrix) -> Option<Matrix> {
        if self.columns != other.rows {
            return ⟦?2⟧;
        }
        let mut result = Matrix::zeros(self.rows, other.columns);
        for i in 0..self.rows {
            for j in 0..other.columns {
                for k in 0..self.columns {
                    result[(i, j)] += ⟦?18: the k-th term of the sum⟧;
                }
            }
        }
        Some(result)
    }
}

impl Index<(usize, usize)> for Matrix {
    type Output = f64;

    fn index(&self, (row, column): (usize, usize)) -> &f64 {
        &self.values[row * self.columns + column]
    }
}

impl IndexMut<(usize, usize)> for Matrix {
    fn index_mut(&mut self, (row, column): (usize, usize)) -> &mut f64 {
        &mut self.values[row * self.columns + column]
    }
}

fn main() {
    let mut a = Matrix::zeros(2, 3);
    a[(0, 1)] = 2.0;
    a[(1, 2)] = 3.0;
    let product = a.times(&a.transposed()).expect("the shapes fit");
    println!("{product:?}");
}
