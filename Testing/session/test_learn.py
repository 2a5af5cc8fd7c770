import pytest
from cmcseg.core.errors import BadInput
from cmcseg.session.learn import LearnSession
from cmcseg.session.stage import LearnStage
from cmcseg.session.verdict import at_fault, headline, told
from cmcseg.session.worker_queue import WorkerQueue
from inline_runner import InlineRunner
from session_parts import Worker, version


@pytest.fixture
def a_session(tmp_path):
    worker = Worker()
    runner = InlineRunner(worker)
    session = LearnSession(runner, WorkerQueue(runner, tmp_path))
    session.worker = worker
    session.load_queue("tiny")
    runner.finish()
    return session


def test_the_table_is_read(a_session):
    assert [row.id for row in a_session.rows] == ["pair-1.r1"]
    assert a_session.new == 1


def test_from_fine_tuning_to_a_verdict_to_a_new_model(a_session, tmp_path):
    switched = []
    a_session.switched.connect(switched.append)
    a_session.fine_tune("tiny", minutes=1)
    assert a_session.stage is LearnStage.FINE_TUNING
    a_session.runner.finish()
    assert a_session.stage is LearnStage.VERDICT
    assert a_session.curve == [(0.5, {"loss": 1.0}), (1.0, {"loss": 0.5})]
    assert a_session.verdict["reason"] == "better"
    assert a_session.worker.asked[-1].values["queue"] == str(tmp_path)
    a_session.adopt()
    a_session.runner.finish()
    assert a_session.stage is LearnStage.ADOPTED
    assert adoption(a_session) == {"model": "tiny", "run": "/runs/1", "overrule": ""}
    assert switched == ["tiny"]


def adoption(session):
    """What the worker was asked last about adopting."""
    return [request.values for request in session.worker.asked if request.verb == "adopt"][-1]


def test_a_verdict_against_it_needs_a_reason(a_session):
    a_session.fine_tune("tiny", minutes=1)
    a_session.runner.finish()
    a_session.verdict = {**a_session.verdict, "verdict": "insufficient"}
    with pytest.raises(BadInput, match=r"^The comparison does not speak for the new model; give"):
        a_session.adopt()
    a_session.adopt("seen by two readers")
    a_session.runner.finish()
    assert adoption(a_session)["overrule"] == "seen by two readers"


def test_where_no_model_was_made_none_can_be_adopted_and_the_pair_at_fault_has_a_name(a_session):
    a_session.worker.verdict = {
        "verdict": "keep",
        "organs": {},
        "sha256": "",
        "reason": "The labels of every corrected pair look like a mistake: pair-1: In the ct it.",
        "left_out": {"pair-1": "In the ct the liver lies in the air."},
    }
    a_session.fine_tune("tiny", minutes=1)
    a_session.runner.finish()
    verdict = a_session.verdict
    assert headline(verdict) == "No new model was made."
    assert told(verdict, a_session.title).startswith("The labels of every corrected pair look like")
    assert {a_session.title(pair): why for pair, why in at_fault(verdict).items()} == {
        "pair 1": "In the ct the liver lies in the air."
    }
    with pytest.raises(BadInput, match=r"^No new model was made; go on with the one in use\.$"):
        a_session.adopt("because")


def test_a_pair_is_called_what_the_host_calls_it(a_session):
    assert a_session.title("pair-1.r1") == "pair 1"
    a_session.called = {"pair-1": "ann"}
    assert (a_session.title("pair-1"), a_session.title("pair-1.r2")) == ("ann", "ann")
    assert a_session.title("pa62b77479150.r1") == "a pair"  # no hash is anybody's name


def test_both_models_can_be_seen_on_the_cases_that_changed_most(a_session):
    heard = []
    a_session.compared.connect(heard.append)
    with pytest.raises(BadInput, match=r"^There are no two models to compare; press Fine-tune fi"):
        a_session.look_at("p1")
    a_session.worker.verdict = {**a_session.worker.verdict, "cases": {"p1": -0.1, "p2": 0.02}}
    a_session.fine_tune("tiny", minutes=1)
    a_session.runner.finish()
    assert list(a_session.changed_most()) == ["p1", "p2"]
    with pytest.raises(BadInput, match=r"^The models were not compared on 'p3'"):
        a_session.look_at("p3")
    a_session.look_at("p1")
    a_session.runner.finish()
    assert heard[0].verb == "look-at-both"
    assert a_session.worker.asked[-1].values["case"] == "p1"
    assert a_session.worker.asked[-1].values["run"] == "/runs/1"


def test_keeping_the_old_one_asks_nobody(a_session):
    a_session.fine_tune("tiny", minutes=1)
    a_session.runner.finish()
    asked = len(a_session.worker.asked)
    a_session.keep()
    assert a_session.stage is LearnStage.KEPT
    assert len(a_session.worker.asked) == asked


def test_rolling_back_tells_who_shows_models(a_session):
    switched = []
    a_session.switched.connect(switched.append)
    a_session.roll_back("tiny")
    a_session.runner.finish()
    assert switched == ["tiny"]


def test_the_version_before_is_the_parent_of_the_one_in_use(a_session):
    def loaded(*versions):
        a_session.worker.history = list(versions)
        a_session.load_history("tiny")
        a_session.runner.finish()
        return a_session.before["name"] if a_session.before else None

    base, second = version("base", "aa"), version("bb", "bb", "aa")
    assert loaded() is None
    assert loaded({**base, "in_use": True}, second) is None
    assert loaded(base, {**second, "in_use": True}) == "base"
    assert loaded({**base, "parent": "aa", "in_use": True}) is None
    # As the store does it, where the parent was pruned or is damaged.
    assert loaded(base, second, version("cc", "cc", "gone", in_use=True)) == "bb"
    damaged = {**second, "damage": "The card was altered."}
    assert loaded(base, damaged, version("cc", "cc", "bb", in_use=True)) == "base"
    assert loaded({**base, "damage": "gone"}, {**second, "in_use": True}) is None


def test_cancel_returns_to_idle(a_session):
    a_session.progressed.connect(lambda _: a_session.cancel())
    heard = []
    a_session.cancelled.connect(lambda: heard.append("cancelled"))
    a_session.fine_tune("tiny", minutes=1)
    a_session.runner.finish()
    assert heard == ["cancelled"]
    assert a_session.stage is LearnStage.IDLE


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda s: setattr(s, "queue", None), "No folder for the queue is chosen; choose one."),
        (
            lambda s: setattr(s, "rows", ()),
            "The queue is empty; accept a corrected pair first.",
        ),
        (
            lambda s: s.fine_tune("tiny"),
            "A fine-tuning is running; wait for it, or cancel it.",
        ),
        (lambda s: setattr(s, "hindrance", "The model is asked."), "The model is asked."),
    ],
)
def test_why_it_cannot_start(a_session, prepare, sentence):
    prepare(a_session)
    with pytest.raises(BadInput) as refusal:
        a_session.fine_tune("tiny")
    assert str(refusal.value) == sentence


def test_no_time_is_refused(a_session):
    with pytest.raises(BadInput, match=r"^0 minutes are no time to learn; give a positive number"):
        a_session.fine_tune("tiny", minutes=0)


def test_a_model_for_a_site_is_kept_beside_the_one_in_use(a_session):
    kept, switched = [], []
    a_session.kept_beside.connect(kept.append)
    a_session.switched.connect(switched.append)
    a_session.fine_tune("tiny", minutes=1)
    a_session.runner.finish()
    a_session.adopt(beside=" Dijon ")
    a_session.runner.finish()
    asked = next(m for m in a_session.worker.asked if m.verb == "adopt")
    assert asked.values == {"model": "tiny", "run": "/runs/1", "overrule": "", "beside": "Dijon"}
    assert (kept, switched, a_session.stage) == (["Tiny, Dijon"], [], LearnStage.KEPT)


def test_nothing_to_adopt_is_refused(a_session):
    with pytest.raises(BadInput, match=r"^There is no fine-tuned model to adopt; press Fine-tune"):
        a_session.adopt()


def told_of(gains, coming):
    session = LearnSession(None)
    session.judged = {"gains": gains, "coming": coming}
    return session.expectation()


def test_before_the_button_is_pressed_it_is_told_what_can_be_shown():
    assert told_of([], 2) == "4 more corrected pairs are needed before anything can be shown."
    assert told_of([], 8) == (
        "With 8 pairs compared, 14% less error can be shown; 3 more would show 11%."
    )
    # Pairs that were judged already say how far gains scatter.
    assert "25% less error" in told_of([0.0, 0.4, 0.0, 0.4], 4)
    assert LearnSession(None).expectation() == ""
