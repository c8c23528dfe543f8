from mmvideomamba.datasets.captions.linked_groups import linked_groups


def test_linked_groups() -> None:
    assert linked_groups(0, []) == []
    assert linked_groups(3, []) == [0, 1, 2]
    # Linked through other items, in any order, with duplicates and a single
    # item.
    links = [(5, 3), (1, 1), (3, 0), (4, 2), (2, 4)]
    assert linked_groups(6, links) == [0, 1, 2, 0, 2, 0]


def test_long_chains() -> None:
    count = 100_000
    for links in (((i, i + 1) for i in range(count - 1)),
                  ((i, i - 1) for i in range(count - 1, 0, -1))):
        assert set(linked_groups(count, links)) == {0}
