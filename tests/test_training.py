"""The training loop: what it computes, when and why it stops, and how it goes on."""

import functools
import gc
import math
import sys
import tracemalloc

import numpy as np
import pytest

import minimlcourse.functional as F
from minimlcourse import Tensor, nn, optim, training
from minimlcourse.metrics import accuracy
from minimlcourse.optim.lr_scheduler import CosineAnnealingLR, StepLR
from minimlcourse.training import (
    EarlyStopping,
    History,
    NonFiniteLossError,
    fit,
    generalization_loss,
    predict,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def classes(n=60, noise=0.3, seed=0):
    """Two overlapping classes in the plane."""
    generator = rng(seed)
    X = generator.normal(size=(n, 2))
    return X, (X[:, 0] + noise * generator.normal(size=n) > 0).astype(int)


class Job:
    """A model with all that `fit` needs, made anew from its seed."""

    def __init__(self, seed=0, lr=0.01, dropout=0.2, n=60, dtype=np.float64, schedule=True):
        self.X, self.y = classes(n)
        self.rng = rng(seed)
        self.model = nn.MLP([2, 8, 2], dropout=dropout, rng=self.rng, dtype=dtype)
        self.optimizer = optim.Adam(self.model.parameters(), lr=lr)
        self.scheduler = CosineAnnealingLR(self.optimizer, T_max=10) if schedule else None

    def fit(self, **settings):
        settings = {
            "epochs": 4,
            "batch_size": 25,  # 60 = 25 + 25 + 10
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "rng": self.rng,
            "progress": False,
            **settings,
        }
        return fit(self.model, self.X, self.y, **settings)


def assert_same_run(job, history, other, other_history):
    assert history == other_history
    weights, others = job.model.state_dict(), other.model.state_dict()
    assert all(np.array_equal(weights[name], others[name]) for name in weights)


class Bomb:
    """A loss that raises on its k-th call."""

    def __init__(self, k, error):
        self.calls, self.k, self.error = 0, k, error

    def __call__(self, outputs, y):
        self.calls += 1
        if self.calls == self.k:
            raise self.error
        return F.cross_entropy(outputs, y)


# -- what the loop computes ------------------------------------------------------------------------


def test_fit_is_the_loop_that_one_writes_by_hand():
    job, hand = Job(), Job()
    history = job.fit()
    losses, norms, rates = [], [], []
    for _ in range(4):
        total, lengths = 0.0, []
        order = hand.rng.permutation(60)
        for rows in (order[:25], order[25:50], order[50:]):
            loss = F.cross_entropy(hand.model(hand.X[rows]), hand.y[rows])
            hand.optimizer.zero_grad()
            loss.backward()
            squares = sum((p.grad**2).sum() for p in hand.model.parameters())
            lengths.append(math.sqrt(squares))
            hand.optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / 60)
        norms.append(np.mean(lengths))
        rates.append(hand.optimizer.lr)
        hand.scheduler.step()
    assert history.train_loss == losses
    assert history.lr == rates == [CosineAnnealingLR.lr_at(hand.scheduler, t) for t in range(4)]
    np.testing.assert_allclose(history.grad_norm, norms, rtol=1e-12)
    assert history.epoch == [1, 2, 3, 4]
    assert history.stopped == "completed"
    assert history.best_epoch == 4
    assert len(history.seconds) == 4
    weights, by_hand = job.model.state_dict(), hand.model.state_dict()
    assert all(np.array_equal(weights[name], by_hand[name]) for name in weights)


def test_every_sample_is_seen_once_an_epoch_in_a_new_order():
    seen = []

    class Spy(nn.Linear):
        def forward(self, x):
            seen.append(x.astype(int).ravel().tolist())
            return super().forward(x)

    model = Spy(1, 2, rng=rng())
    X = np.arange(7.0).reshape(7, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    settings = {"optimizer": optimizer, "rng": rng(), "progress": False}
    fit(model, X, np.zeros(7, int), epochs=2, batch_size=3, **settings)
    assert [len(batch) for batch in seen] == [3, 3, 1, 3, 3, 1]
    first, second = ([row for batch in seen[i : i + 3] for row in batch] for i in (0, 3))
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_training_learns():
    job = Job(dropout=0.0, lr=0.05)
    history = job.fit(epochs=30)
    assert history.train_loss[-1] < 0.5 * history.train_loss[0]
    assert accuracy(job.y, predict(job.model, job.X).argmax(axis=1)) > 0.9


def test_regression_with_its_own_loss_and_metric():
    X = np.linspace(-1, 1, 40).reshape(-1, 1)
    y = 2 * X + 1
    model = nn.Linear(1, 1, rng=rng())
    history = fit(
        model,
        X,
        y,
        epochs=60,
        batch_size=10,
        optimizer=optim.SGD(model.parameters(), lr=0.2),
        loss=F.mse,
        validation=(X, y),
        metrics={"worst": lambda true, predicted: abs(true - predicted).max()},
        rng=rng(),
        progress=False,
    )
    np.testing.assert_allclose(model.weight.numpy(), [[2.0]], atol=1e-3)
    assert history.metrics["worst"][-1] == pytest.approx(0, abs=1e-2)
    assert type(history.metrics["worst"][-1]) is float


def test_float32_stays_float32():
    job = Job(dtype=np.float32)
    job.X = job.X.astype(np.float32)
    job.fit(epochs=1)
    assert predict(job.model, job.X).dtype == np.float32
    assert {p.grad.dtype for p in job.model.parameters()} == {np.dtype(np.float32)}


def test_validation_is_in_eval_mode_without_a_graph_on_all_the_data():
    job = Job(dropout=0.5)
    X_val, y_val = classes(2500, seed=1)  # more than one chunk of predict
    seen = []

    def loss(outputs, y):
        if len(y) == 2500:
            seen.append((job.model.training, outputs.requires_grad))
        return F.cross_entropy(outputs, y)

    metrics = {"accuracy": accuracy}
    history = job.fit(epochs=2, validation=(X_val, y_val), loss=loss, metrics=metrics)
    assert seen == [(False, False)] * 2
    job.model.eval()
    best = history.best_epoch - 1
    outputs = job.model(X_val)
    assert history.val_loss[best] == pytest.approx(
        F.cross_entropy(outputs, y_val).item(), rel=1e-12
    )
    correct = accuracy(y_val, outputs.numpy().argmax(axis=1))
    assert history.metrics["accuracy"][best] == correct


def test_the_gradient_is_clipped_and_its_norm_noted_before():
    bound = 1e-3
    job, free = Job(schedule=False, dropout=0.0), Job(schedule=False, dropout=0.0)
    for one in (job, free):
        one.optimizer = optim.SGD(one.model.parameters(), lr=1.0)
    before = job.model.state_dict()
    history = job.fit(epochs=1, batch_size=60, max_grad_norm=bound)
    moved = sum(((before[n] - w) ** 2).sum() for n, w in job.model.state_dict().items())
    assert math.sqrt(moved) == pytest.approx(bound, rel=1e-3)
    assert history.grad_norm == free.fit(epochs=1, batch_size=60).grad_norm
    assert history.grad_norm[0] > 10 * bound


def test_the_scheduler_counts_epochs():
    job = Job(schedule=False, lr=0.8)
    job.scheduler = StepLR(job.optimizer, step_size=2, gamma=0.5)
    assert job.fit(epochs=5).lr == [0.8, 0.8, 0.4, 0.4, 0.2]


def test_the_same_seed_gives_the_same_run_to_the_bit():
    job, again, other = Job(), Job(), Job(seed=1)
    validation = classes(20, seed=1)
    history = job.fit(validation=validation)
    assert_same_run(job, history, again, again.fit(validation=validation))
    assert history != other.fit(validation=validation)


def test_the_model_is_left_in_eval_mode():
    job = Job()
    job.fit(epochs=1)
    assert not any(module.training for module in job.model.modules())


def test_the_history_prints_without_times():
    assert repr(History()) == "History(no epochs, running)"
    history = History([0.5, 0.25], [0.4, 0.45], {"accuracy": [0.8, 0.81234]}, stopped="completed")
    assert repr(history) == (
        "History(epoch 2, train_loss 0.25, val_loss 0.45, accuracy 0.8123, best epoch 1, completed)"
    )


def test_predict_restores_the_mode_of_each_module():
    model = nn.MLP([2, 4, 2], dropout=0.5, rng=rng())
    model[0].eval()
    model[1].eval()
    X = rng().normal(size=(10, 2))
    out = predict(model, X, batch_size=3)
    assert out.shape == (10, 2)
    assert np.array_equal(out, predict(model, X, batch_size=3))
    assert [module.training for module in model.modules()] == [True, False, False, True, True]
    np.testing.assert_allclose(out, model.eval()(X).numpy(), rtol=1e-14)


def test_predict_keeps_no_graph():
    outputs = []

    class Spy(nn.Linear):
        def forward(self, x):
            outputs.append(super().forward(x))
            return outputs[-1]

    predict(Spy(2, 1, rng=rng()), np.ones((3, 2)))
    assert [out.requires_grad for out in outputs] == [False]


def test_memory_is_flat_without_the_garbage_collector():
    # A graph that survives its step would weigh 500 kB, a checkpoint its epoch 250 kB. The best
    # weights, 80 kB, share memory with the last ones or not.
    X, y = classes(1000)
    model = nn.MLP([2, 100, 100, 2], rng=rng())
    optimizer = optim.Adam(model.parameters())
    grown = []
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        fit(
            model,
            X,
            y,
            epochs=10,
            batch_size=250,
            optimizer=optimizer,
            validation=(X, y),
            callbacks=[lambda h: grown.append(tracemalloc.get_traced_memory()[0])],
            rng=rng(),
            progress=False,
        )
    finally:
        tracemalloc.stop()
        gc.enable()
    assert max(grown[3:]) - min(grown[3:]) < 120_000


# -- who else is asked: callbacks, progress --------------------------------------------------------


def test_callbacks_see_each_epoch_and_the_model_ready_to_predict():
    job = Job()
    seen = []
    job.fit(callbacks=[lambda h: seen.append((h.epoch[-1], h.stopped, job.model.training))])
    assert seen == [(1, "", False), (2, "", False), (3, "", False), (4, "", False)]


@pytest.mark.parametrize("true", [True, np.True_])
def test_a_callback_ends_the_run_by_returning_true(true):
    history = Job().fit(callbacks=[lambda h: len(h.epoch) == 2 and true, lambda h: None])
    assert (history.stopped, history.epoch) == ("stopped by a callback", [1, 2])


def test_other_values_of_a_callback_mean_nothing():
    assert Job().fit(callbacks=[lambda h: "drawn", lambda h: 1]).stopped == "completed"


def test_an_error_in_a_callback_is_not_swallowed():
    def fail(history):
        raise RuntimeError("no display")

    job = Job()
    with pytest.raises(RuntimeError, match="no display"):
        job.fit(callbacks=[fail])
    assert not job.model.training


def test_the_progress_bar_counts_steps_and_shows_the_losses(capsys):
    pytest.importorskip("tqdm")
    Job().fit(progress=True, validation=classes(20))
    bar = capsys.readouterr().err
    assert "12/12" in bar
    assert "epoch 4, train_loss" in bar
    assert "val_loss" in bar
    job = Job()
    history = job.fit(epochs=3)
    job.fit(progress=True, resume=history)
    bar = capsys.readouterr().err
    assert " 9/12" in bar
    assert "12/12" in bar


def test_without_tqdm_there_is_no_bar_and_no_error(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert Job().fit(progress=True).stopped == "completed"
    assert capsys.readouterr().err == ""


# -- early stopping --------------------------------------------------------------------------------


@functools.cache
def overfit(early_stopping=None):
    """A large network on 40 points with wrong labels among them: the validation loss turns."""
    X, y = classes(40, noise=0.5)
    X_val, y_val = classes(300, noise=0.5, seed=1)
    model = nn.MLP([2, 64, 64, 2], rng=rng())
    history = fit(
        model,
        X,
        y,
        epochs=100,
        batch_size=40,
        optimizer=optim.Adam(model.parameters(), lr=0.003),
        validation=(X_val, y_val),
        early_stopping=early_stopping,
        rng=rng(),
        progress=False,
    )
    return history, F.cross_entropy(predict(model, X_val), y_val)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (EarlyStopping(alpha=5), "% above its lowest value"),
        (EarlyStopping(patience=10), "no lower validation loss for 10 epochs"),
    ],
)
def test_early_stopping_ends_an_overfitting_run_with_the_best_weights(rule, reason):
    history, val_loss = overfit(rule)
    free, free_val_loss = overfit()
    # The mechanism is exercised (E77): without it, the loss goes on to rise.
    assert reason in history.stopped
    assert 1 < history.best_epoch < len(history.epoch) < 100
    assert free.val_loss[: len(history.epoch)] == history.val_loss
    assert free.val_loss[-1] > 1.5 * min(free.val_loss)
    # And the weights are those of the best epoch, not of the last.
    assert val_loss == pytest.approx(min(history.val_loss), rel=1e-12)
    assert val_loss < history.val_loss[-1]
    assert free_val_loss == pytest.approx(min(free.val_loss), rel=1e-12)


def test_the_rules_stop_at_the_first_epoch_that_they_should():
    history, _ = overfit(EarlyStopping(alpha=5))
    gl = [generalization_loss(history.val_loss[: t + 1]) for t in range(len(history.val_loss))]
    assert gl[-1] > 5 >= max(gl[:-1])
    history, _ = overfit(EarlyStopping(patience=10))
    assert len(history.epoch) == history.best_epoch + 10


def test_generalisation_loss_is_a_percentage_over_the_minimum():
    assert generalization_loss([0.50, 0.55]) == pytest.approx(10)
    assert generalization_loss([0.9, 0.50, 0.8, 0.75]) == pytest.approx(50)
    assert generalization_loss([0.7, 0.6]) == 0


@pytest.mark.parametrize("losses", [[1e-6, 3e-6], [-1.0, -0.5], [0.5, 0.0], [math.nan]])
def test_generalisation_loss_refuses_what_it_cannot_judge(losses):
    # E77: from 1e-6 to 3e-6 GL would be 200 %, and for the rise from -1 to -0.5 it is -50 %.
    with pytest.raises(ValueError, match=r"expected more than 1e-05: .*EarlyStopping\(patience"):
        EarlyStopping(alpha=5).reason(losses)


def test_patience_is_absolute_and_does_not_see_a_shift():
    rule = EarlyStopping(patience=2, min_delta=0.1)
    losses = [1.0, 0.8, 0.75, 0.75]  # 0.75 is lower than 0.8, though by less than 0.1
    for shift in (0.0, -10.0, 1e3):
        shifted = [loss + shift for loss in losses]
        assert [bool(rule.reason(shifted[: t + 1])) for t in range(4)] == [
            False,
            False,
            False,
            True,
        ]
    assert EarlyStopping(patience=2).reason(losses) == ""
    assert EarlyStopping(patience=1).reason([0.5, 0.5])


def test_either_of_two_rules_stops():
    rule = EarlyStopping(alpha=50, patience=3)
    assert "60 % above" in rule.reason([1.0, 1.6])
    assert "3 epochs" in rule.reason([1.0, 1.1, 1.1, 1.1])
    assert rule.reason([1.0, 1.1, 1.1]) == ""
    assert rule.reason([1.0, 1.5]) == ""  # 50 % is not more than 50 %


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "neither alpha nor patience"),
        ({"alpha": 0}, "alpha is 0, expected more than 0"),
        ({"alpha": math.nan}, "alpha is nan"),
        ({"patience": 0}, "patience is 0, expected 1 or more"),
        ({"patience": 1, "min_delta": -1}, "min_delta is -1"),
    ],
)
def test_early_stopping_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=f"EarlyStopping: {message}"):
        EarlyStopping(**settings)


def test_a_refusal_in_the_middle_of_a_run_leaves_the_best_weights():
    # A perfectly separable problem: the validation loss reaches any small number.
    X = np.array([[-1.0], [1.0]])
    y = np.array([0, 1])
    model = nn.Linear(1, 2, rng=rng())
    with pytest.raises(ValueError, match="generalization_loss: the lowest validation loss is"):
        fit(
            model,
            X,
            y,
            epochs=100,
            batch_size=2,
            optimizer=optim.Adam(model.parameters(), lr=1.0),
            validation=(X, y),
            early_stopping=EarlyStopping(alpha=5),
            rng=rng(),
            progress=False,
        )
    assert 0 < F.cross_entropy(predict(model, X), y) <= 1e-5


# -- interruption and resumption -------------------------------------------------------------------

VALIDATION = classes(30, noise=1.0, seed=1)


@pytest.mark.parametrize("validation", [None, VALIDATION])
@pytest.mark.parametrize("call", range(1, 13))
def test_an_interrupted_run_resumes_to_the_bit(call, validation):
    whole, job = Job(), Job()
    expected = whole.fit(validation=validation)
    history = job.fit(loss=Bomb(call, KeyboardInterrupt), validation=validation)
    per_epoch = 3 if validation is None else 4
    assert history.stopped == "interrupted"
    assert len(history.epoch) == (call - 1) // per_epoch
    assert history.train_loss == expected.train_loss[: len(history.epoch)]
    before = repr(history)
    resumed = job.fit(validation=validation, resume=history)
    assert_same_run(job, resumed, whole, expected)
    assert repr(history) == before
    # And once more, from the same history.
    again = job.fit(validation=validation, resume=history)
    assert_same_run(job, again, whole, expected)


def test_an_interruption_keeps_the_best_weights_and_not_the_last():
    X_val, y_val = classes(300, noise=1.5, seed=1)
    job = Job(lr=0.1)
    job.X, job.y = classes(20, noise=1.5)
    loss = Bomb(2 * 40, KeyboardInterrupt)
    history = job.fit(epochs=100, loss=loss, validation=(X_val, y_val))
    assert 0 < history.best_epoch < len(history.epoch)
    kept = F.cross_entropy(predict(job.model, X_val), y_val)
    assert kept == pytest.approx(min(history.val_loss), rel=1e-12)
    assert kept < history.val_loss[-1]


def test_after_an_interruption_everything_is_as_at_the_end_of_the_last_epoch():
    whole, job = Job(), Job()
    whole.fit(epochs=2)
    job.fit(loss=Bomb(8, KeyboardInterrupt))  # in the second step of epoch 3
    states, expected = job.optimizer.state_dict(), whole.optimizer.state_dict()
    assert all(np.array_equal(states[name], expected[name]) for name in expected)
    assert job.scheduler.state_dict() == whole.scheduler.state_dict()
    assert job.rng.bit_generator.state == whole.rng.bit_generator.state


def test_an_interruption_in_the_middle_of_a_step_tears_nothing():
    class Torn(optim.SGD):
        def step(self):
            first = self.params[0]
            first.data = first.numpy() + 100
            raise KeyboardInterrupt

    job = Job(schedule=False)
    job.fit(epochs=1)
    before = job.model.state_dict()
    job.optimizer = Torn(job.model.parameters(), lr=0.1)
    assert job.fit().stopped == "interrupted"
    assert all(np.array_equal(before[name], w) for name, w in job.model.state_dict().items())


def test_an_interruption_at_any_line_finds_a_whole_epoch_or_nothing():
    """Ctrl-C is injected between any two lines of the loop and of what it calls."""
    whole = Job()
    expected = whole.fit(epochs=2, validation=VALIDATION)

    def run(line):
        """Interrupt before the given line (counted from the first batch on), if there is one."""
        job, count = Job(), 0

        def trace(frame, event, argument):
            nonlocal count
            if frame.f_code.co_filename != training.loop.__file__:
                return None
            if frame.f_code.co_name == "close":  # the run is over
                sys.settrace(None)
            elif event == "line" and (count or frame.f_code.co_name == "train_epoch"):
                count += 1
                if count == line:
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return job, job.fit(epochs=2, validation=VALIDATION), count
        finally:
            sys.settrace(before)

    _, _, lines = run(line=0)
    assert lines > 100
    interrupted = 0
    for line in range(1, lines, 3):
        job, history, _ = run(line)
        n = len(history.epoch)
        curves = [history.train_loss, history.val_loss, history.lr, history.grad_norm]
        assert [len(curve) for curve in curves] == [n] * 4
        if history.stopped == "interrupted":
            interrupted += 1
            if n < 2:
                history = job.fit(epochs=2, validation=VALIDATION, resume=history)
            else:  # in the callbacks of the last epoch: only the word for its end is missing
                history.stopped = "completed"
        assert_same_run(job, history, whole, expected)
    assert interrupted > 0.9 * lines / 3


def test_a_run_resumes_from_disk_in_another_process(tmp_path):
    whole, job = Job(), Job()
    expected = whole.fit(validation=VALIDATION, metrics={"accuracy": accuracy})
    settings = {"validation": VALIDATION, "metrics": {"accuracy": accuracy}}
    job.fit(loss=Bomb(10, KeyboardInterrupt), **settings).save(tmp_path / "run.npz")
    history = History.load(tmp_path / "run.npz")
    assert history.epoch == [1, 2]
    assert history.stopped == "interrupted"
    assert history.metrics == {"accuracy": expected.metrics["accuracy"][:2]}
    # Another seed: everything that matters comes from the file.
    other = Job(seed=99)
    assert_same_run(other, other.fit(resume=history, **settings), whole, expected)


def test_a_completed_run_is_prolonged():
    whole, job = Job(), Job()
    expected = whole.fit(epochs=4)
    history = job.fit(epochs=2)
    assert_same_run(job, job.fit(epochs=4, resume=history), whole, expected)


def test_a_learning_rate_set_by_a_callback_is_resumed():
    def halve(job):
        def callback(history):
            job.optimizer.lr /= 2

        return callback

    whole, job = Job(schedule=False), Job(schedule=False)
    expected = whole.fit(callbacks=[halve(whole)])
    history = job.fit(callbacks=[halve(job)], loss=Bomb(8, KeyboardInterrupt))
    job.optimizer.lr = 123.0
    assert_same_run(job, job.fit(callbacks=[halve(job)], resume=history), whole, expected)


def test_other_bit_generators_are_resumed(tmp_path):
    def job():
        one = Job(dropout=0.0)
        one.rng = np.random.Generator(np.random.MT19937(0))
        return one

    whole, broken = job(), job()
    expected = whole.fit()
    broken.fit(loss=Bomb(5, KeyboardInterrupt)).save(tmp_path / "run.npz")
    history = History.load(tmp_path / "run.npz")
    assert_same_run(broken, broken.fit(resume=history), whole, expected)


def test_a_resumption_with_other_settings_is_refused():
    job = Job()
    history = job.fit(epochs=2, validation=VALIDATION)
    with pytest.raises(ValueError, match="fit: epochs is 2, and resume has 2 already"):
        job.fit(epochs=2, validation=VALIDATION, resume=history)
    with pytest.raises(ValueError, match=r"fit: validation: .* had True, this call has False"):
        job.fit(resume=history)
    with pytest.raises(
        ValueError, match=r"fit: metrics: .* had \[\], this call has \['accuracy'\]"
    ):
        job.fit(validation=VALIDATION, metrics={"accuracy": accuracy}, resume=history)
    with pytest.raises(ValueError, match=r"fit: scheduler: .* had True, this call has False"):
        job.fit(validation=VALIDATION, scheduler=None, resume=history)


def test_a_file_that_is_no_history_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    job = Job()
    job.model.save(path)
    with pytest.raises(ValueError, match=r"run.npz was not written by History.save"):
        History.load(path)
    job.fit(epochs=1).save(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match=r"run.npz is damaged"):
        History.load(path)


# -- a loss that is not finite ---------------------------------------------------------------------


def test_a_nan_in_the_data_is_named_by_its_row():
    job = Job()
    job.X[[17, 40]] = np.nan
    before = job.model.state_dict()
    with pytest.raises(NonFiniteLossError, match="fit: the loss is nan at epoch 1, step") as error:
        job.fit(batch_size=60)
    assert "the data: X[" in str(error.value)
    assert "(nor are 1 other rows)" in str(error.value)
    assert "the weights that it came with" in str(error.value)
    assert isinstance(error.value, FloatingPointError)
    assert (error.value.epoch, error.value.step) == (1, 1)
    assert all(np.array_equal(before[name], w) for name, w in job.model.state_dict().items())


def test_a_nan_in_the_targets_or_in_the_validation_data_is_named():
    X, y = np.ones((4, 1)), np.array([[0.0], [1.0], [math.inf], [0.0]])
    model = nn.Linear(1, 1, rng=rng())
    settings = {
        "epochs": 1,
        "batch_size": 2,
        "optimizer": optim.SGD(model.parameters(), lr=0.1),
        "loss": F.mse,
        "rng": rng(),
        "progress": False,
    }
    with pytest.raises(NonFiniteLossError, match=r"the loss is inf .*: y\[2\] is not finite\."):
        fit(model, X, y, **settings)
    with pytest.raises(
        NonFiniteLossError, match=r"validation loss is inf .* y_val\[2\] is not fin"
    ):
        fit(model, X, np.zeros((4, 1)), validation=(X, y), **settings)


def linear_regression(lr, **settings):
    X = rng().normal(size=(40, 1))
    model = nn.Linear(1, 1, rng=rng())
    return fit(
        model,
        X,
        3 * X,
        epochs=500,
        batch_size=10,
        optimizer=optim.SGD(model.parameters(), lr=lr),
        loss=F.mse,
        rng=rng(),
        progress=False,
        **settings,
    )


def test_too_high_a_learning_rate_is_recognised():
    with pytest.raises(NonFiniteLossError, match=r"the learning rate, 5, is too high") as error:
        linear_regression(lr=5.0)
    assert "set max_grad_norm" in str(error.value)
    assert error.value.history.stopped == "the loss is inf"
    assert len(error.value.history.epoch) == error.value.epoch - 1 > 0
    assert linear_regression(lr=0.1).stopped == "completed"


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_so_it_is_in_deep_networks_where_one_step_may_suffice(optimizer, activation):
    # In float32, twenty layers overflow while no single weight looks large.
    X = rng().normal(size=(60, 8)).astype(np.float32)
    model = nn.MLP([8] + [32] * 19 + [1], activation, rng=rng(), dtype=np.float32)
    with pytest.raises(NonFiniteLossError, match="the learning rate, 1e"):
        fit(
            model,
            X,
            X[:, :1],
            epochs=5,
            batch_size=20,
            optimizer=optimizer(model.parameters(), lr=1e20),
            loss=F.mse,
            rng=rng(),
            progress=False,
        )


def test_a_gradient_that_overflows_is_told_from_an_infinite_derivative():
    # Inputs of 1e10 in an exponential: one step makes the loss 1e300, and its gradient infinite.
    model = Formula(lambda w, x: (w * x).exp(), weight=0.0)
    with pytest.raises(NonFiniteLossError, match=r"learning rate, 1.725e-18, is too high") as error:
        fit(
            model,
            np.full((2, 1), 1e10),
            np.full((2, 1), 2.0),
            epochs=2,
            batch_size=2,
            optimizer=optim.SGD(model.parameters(), lr=1.725e-18),
            loss=F.mse,
            rng=rng(),
            progress=False,
        )
    assert "norm of the gradient is inf at epoch 2" in str(error.value)


def test_weights_that_overflow_at_once_are_blamed_on_the_learning_rate():
    with pytest.raises(NonFiniteLossError, match=r"the learning rate, 1e\+300, is too high"):
        linear_regression(lr=1e300)


def test_a_divergence_ends_with_the_best_weights():
    X = rng().normal(size=(40, 1))
    model = nn.Linear(1, 1, rng=rng())
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def overdo(history):
        if len(history.epoch) == 10:
            optimizer.lr = 1e3

    with pytest.raises(NonFiniteLossError) as error:
        fit(
            model,
            X,
            3 * X,
            epochs=500,
            batch_size=10,
            optimizer=optimizer,
            loss=F.mse,
            validation=(X, 3 * X),
            callbacks=[overdo],
            rng=rng(),
            progress=False,
        )
    history = error.value.history
    assert history.best_epoch == 10
    assert "The model has the weights of epoch 10." in str(error.value)
    assert F.mse(predict(model, X), 3 * X) == history.val_loss[9]


class Formula(nn.Module):
    """One weight in a formula."""

    def __init__(self, formula, weight=1.0):
        self.formula = formula
        self.weight = Tensor([weight])

    def forward(self, x):
        return self.formula(self.weight, x)


@pytest.mark.parametrize(
    ("formula", "weight", "x", "what", "cause"),
    [
        (lambda w, x: w * x, math.nan, 1.0, "loss is nan", "the weights: some are not finite"),
        (
            lambda w, x: (w * x - x).log(),
            1.0,
            2.0,
            "loss is inf",
            "the model: .* takes the log of 0",
        ),
        (lambda w, x: (w * x).exp(), 1.0, 1e4, "loss is inf", r"the model: .*largest \|X\| 1e\+04"),
        (lambda w, x: w * x, 1.0, 1e200, "loss is inf", "the loss function: .* as large as 1e"),
        (
            lambda w, x: (w * x).exp(),
            3.45e-8,
            1e10,
            "norm of the gradient is inf",
            r"the model: .*\|output\| 6.\d+e\+149",
        ),
        (
            lambda w, x: (w * x - x).sqrt(),
            1.0,
            2.0,
            "norm of the gradient is",
            "an infinite derivative: .* Square root",
        ),
    ],
)
def test_each_cause_is_told_from_the_others(formula, weight, x, what, cause):
    model = Formula(formula, weight)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    settings = {"epochs": 2, "batch_size": 4, "optimizer": optimizer, "loss": F.mse, "rng": rng()}
    X, y = np.full((4, 1), x), np.zeros((4, 1))
    with pytest.raises(NonFiniteLossError, match=f"the {what}.* Likely cause: {cause}"):
        fit(model, X, y, progress=False, **settings)


def test_an_infinite_derivative_is_recognised_after_some_steps():
    model = Formula(lambda w, x: F.relu(w * x - 1).sqrt(), weight=1.5)
    with pytest.raises(
        NonFiniteLossError, match=r"norm of the .* step 1\..* an infinite deriv"
    ) as e:
        fit(
            model,
            np.ones((4, 1)),
            np.ones((4, 1)),
            epochs=9,
            batch_size=4,
            optimizer=optim.SGD(model.parameters(), lr=1.0),
            loss=lambda z, y: z.mean(),
            rng=rng(),
            progress=False,
        )
    assert e.value.epoch == 2


def test_a_batch_that_no_weights_would_suit_is_not_blamed_on_the_learning_rate():
    X = np.array([[1.0], [2.0], [3.0], [0.0]])
    model = Formula(lambda w, x: w * np.log(x))
    with pytest.raises(NonFiniteLossError, match="Likely cause: the model: ") as error:
        fit(
            model,
            X,
            X,
            epochs=2,
            batch_size=1,
            optimizer=optim.SGD(model.parameters(), lr=0.01),
            loss=F.mse,
            rng=rng(1),
            progress=False,
        )
    assert error.value.step > 1


def test_small_numbers_that_come_upon_the_log_of_0_are_not_blamed_on_overflow():
    model = Formula(lambda w, x: (w * x).log())
    with pytest.raises(NonFiniteLossError, match=r"If these numbers look harmless, .* log of 0"):
        fit(
            model,
            np.ones((4, 1)),
            np.ones((4, 1)),
            epochs=100,
            batch_size=4,
            optimizer=optim.SGD(model.parameters(), lr=0.01),
            loss=lambda z, y: z.mean(),
            rng=rng(),
            progress=False,
        )


def test_numpy_does_not_warn_of_what_is_said_better(recwarn):
    with pytest.raises(NonFiniteLossError):
        linear_regression(lr=5.0)
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


# -- at the door -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "fit: epochs is 0, expected a positive integer"),
        ({"epochs": 2.5}, "fit: epochs is 2.5, expected a positive integer"),
        ({"batch_size": -3}, "fit: batch_size is -3, expected a positive integer"),
        ({"early_stopping": EarlyStopping(alpha=5)}, "fit: early_stopping needs validation="),
        ({"metrics": {"accuracy": accuracy}}, "fit: metrics needs validation="),
        (
            {"validation": (np.ones((4, 2)), np.ones(3, int))},
            "fit: validation X has 4 samples, validation y has 3",
        ),
        (
            {"validation": (np.ones((4, 3)), np.ones(4, int))},
            r"fit: samples of X have shape \(2,\), those of validation X \(3,\)",
        ),
        ({"max_grad_norm": -1}, "max_norm is -1, expected 0 or more"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Job().fit(**settings)


@pytest.mark.parametrize(
    ("X", "y", "kind", "message"),
    [
        (np.ones((5, 2)), np.ones(4, int), ValueError, "fit: X has 5 samples, y has 4"),
        (
            np.ones((0, 2)),
            np.ones(0, int),
            ValueError,
            r"fit: X has shape \(0, 2\), expected samples",
        ),
        (np.array(1.0), np.ones(1, int), ValueError, r"fit: X has shape \(\), expected samples"),
        (np.ones((5, 2), np.uint8), np.ones(5, int), TypeError, "fit: X has dtype uint8; scale"),
        (
            np.full((5, 2), "a"),
            np.ones(5, int),
            TypeError,
            "fit: X has dtype <U1, expected numbers",
        ),
        (
            Tensor(np.ones((5, 2))),
            np.ones(5, int),
            TypeError,
            "a Tensor does not turn into an array",
        ),
        (np.ones((5, 3)), np.ones(5, int), ValueError, "Linear: x has 3 features"),
        (np.ones((5, 2)), np.full(5, 2), ValueError, "target has classes 2 to 2, of 2"),
    ],
)
def test_data_that_do_not_fit_are_refused(X, y, kind, message):
    job = Job()
    job.X, job.y = X, y
    with pytest.raises(kind, match=message):
        job.fit()


def test_a_seed_is_no_generator():
    with pytest.raises(TypeError, match=r"fit: rng is 0, expected np.random.default_rng"):
        Job().fit(rng=0)


def test_an_optimizer_of_another_model_is_refused():
    with pytest.raises(ValueError, match="fit: the optimizer holds no parameter of this model"):
        Job().fit(optimizer=Job().optimizer, scheduler=None)


@pytest.mark.parametrize(
    "loss", [lambda z, y: F.cross_entropy(z, y, reduction="none"), lambda z, y: 0.5]
)
def test_a_loss_must_give_one_number_to_differentiate(loss):
    with pytest.raises(TypeError, match=r"fit: loss gave a .* expected a Tensor with one element"):
        Job().fit(loss=loss)


def test_predict_refuses_no_data():
    with pytest.raises(ValueError, match=r"predict: X has shape \(0, 2\)"):
        predict(Job().model, np.ones((0, 2)))
