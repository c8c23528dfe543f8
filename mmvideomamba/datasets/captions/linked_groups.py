"""Groups of linked items."""
from typing import Iterable, List, Tuple


def linked_groups(count: int, links: Iterable[Tuple[int, int]]) -> List[int]:
    """Number the groups of items joined by links, directly or through others.

    Args:
        count (int): Number of items.
        links (Iterable[tuple[int, int]]): Two items each, from 0 to
            ``count`` - 1.

    Returns:
        list[int]: Group of each item. Groups are numbered from 0, in the
        order of the first item of each.
    """
    # Each item points to an earlier item of the group, the first to itself.
    parents = list(range(count))

    def first(item: int) -> int:
        while parents[item] != item:
            # Shorter ways for later calls: long chains stay cheap.
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item

    for one, other in links:
        # The lower item leads: the loop below numbers a group at the first
        # item.
        low, high = sorted((first(one), first(other)))
        parents[high] = low
    numbers: List[int] = []
    groups = 0
    for item in range(count):
        start = first(item)
        if start == item:
            numbers.append(groups)
            groups += 1
        else:
            numbers.append(numbers[start])
    return numbers
