from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from chatgenimage.db import spending

WORKERS = 4


def test_workers_may_remember_the_same_answer_at_once(place):
    barrier = Barrier(WORKERS)

    def remember(number):
        barrier.wait()
        for turn in range(5):
            with place.sessions.begin() as session:
                spending.add_answer(session, f"key {turn}", [{"answer": str(number)}])

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(remember, range(WORKERS)))
    with place.sessions() as session:
        assert len(spending.find_answer(session, "key 0")) == 1
