"""What is left over is paired cheapest first, and nothing twice."""

import numpy as np

from deimv2.verification.matching import pair_rest

COST = np.array([[1.0, 2.0], [0.5, 3.0]])


def test_the_cheapest_pair_comes_first_and_takes_both_of_its_sides() -> None:
    pair_rest(partner := {}, COST, np.ones((2, 2), bool))
    assert partner == {1: 0, 0: 1}


def test_pairs_that_are_not_the_same_thing_and_those_made_before_stay_apart() -> None:
    pair_rest(partner := {}, COST, np.array([[True, False], [True, True]]))
    assert partner == {1: 0}
    pair_rest(partner := {0: 0}, COST, np.ones((2, 2), bool))
    assert partner == {0: 0, 1: 1}
