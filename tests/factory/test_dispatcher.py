import threading

from factory.app import make_celery
from factory.dispatcher import Dispatcher
from factory.errors import BrokerUnavailable
from factory.settings import load_settings

URL = "redis+socket:///tmp/nowhere.sock?virtual_host=0"


def test_a_broker_that_went_away_is_waited_for(place):
    settings = load_settings("micro", data_dir=place.data_dir)
    answers = iter([BrokerUnavailable("gone"), BrokerUnavailable("still gone"), None])
    came_back = threading.Event()

    def ensure():
        if error := next(answers, None):
            raise error
        came_back.set()

    app = make_celery(settings, URL)
    with Dispatcher(app, place.sessions, settings.delivery, ensure).start():
        assert came_back.wait(timeout=30)
