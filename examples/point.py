# SPDX-License-Identifier: Apache-2.0
class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __eq__(self, other):
        return self.x == other⟦?2⟧ and self.y == ⟦?3⟧

    def __repr__(⟦?1⟧):
        return f"Point({self.x}, {self.y})"
