# SPDX-License-Identifier: Apache-2.0
"""A small warehouse: what is in stock, what it is worth, and what must be ordered again."""

from dataclasses import dataclass


@dataclass
class Item:
    name: str
    quantity: int
    price: float
    minimum: int = 0


class Inventory:
    def __init__(self, items=()):
        self.items = {item.name: item for item in items}

    def add(self, item):
        if item.name in self.items:
            self.items[item.name].quantity += ⟦?4⟧
        else:
            self.items[item.name] = item

    def remove(self, name, quantity):
        item = self.items.get(name)
        if item is None:
            raise KeyError(name)
        if quantity > item.quantity:
            raise ValueError(⟦?: say which item is short⟧)
        item.quantity -= quantity

    def total_value(self):
        """The price of everything in stock."""
        return sum(⟦?12: quantity times price⟧ for item in self.items.values())

    def to_order(self):
        """Names of the items that have fallen below their minimum."""
        return [item.name for item in self.items.values() if ⟦?12⟧]


def main():
    inventory = Inventory([Item("bolt", 120, 0.10, minimum=100), Item("nut", 80, 0.05, minimum=100)])
    inventory.add(Item("bolt", 30, 0.10))
    inventory.remove("nut", 20)
    print(f"worth {inventory.total_value():.2f}")
    for name in inventory.to_order():
        print("order", ⟦?2⟧)


if __name__ == "__main__":
    main()
