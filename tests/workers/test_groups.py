from chatgenimage.workers.groups import group_equal


def test_equal_keys_are_grouped_in_order_of_appearance():
    assert list(group_equal([(4, 3), (2, 3), (4, 3)])) == [[0, 2], [1]]
    assert list(group_equal([])) == []
