"""Figures of a search: every kind of search can be drawn, what is drawn is true, and the page opens offline."""

import math
import random
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from srexp.evaluation.search_report.figures import figures, left_out
from srexp.evaluation.search_report.page import page
from srexp.types import Trial

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

ONE, TWO = ["val_psnr"], ["val_psnr", "seconds"]
SPACE = {
    "optimizer.lr": {"type": "float", "low": 1e-5, "high": 1e-2, "log": True},
    "model": {"type": "categorical", "choices": ["srcnn", "vdsr"]},
    "model.depth": {"type": "int", "low": 8, "high": 20, "step": 4, "when": {"model": "vdsr"}},
    "model.filters": {"type": "categorical", "choices": [[64, 32], [32, 16]], "when": {"model": "srcnn"}},
    "trainer.batch_size": {"type": "categorical", "choices": [16, 64, 32]},
    "augmentation": {"type": "categorical", "choices": [None, "flip", True]},
}
ALWAYS = ["optimisation_history", "learning_curves"]
ALL = ["optimisation_history", "pareto_front", "learning_curves", "importance", "parallel_coordinates", "slice"]


def search(count, *, objectives=TWO, epochs=6, seed=0):
    """A search in which the learning rate decides, with pruned, failed and diverged trials."""
    rng = random.Random(seed)
    trials = []
    for number in range(count):
        model = rng.choice(["srcnn", "vdsr"])
        values = {
            "optimizer.lr": 10 ** rng.uniform(-5, -2),
            "model": model,
            "trainer.batch_size": rng.choice([16, 32, 64]),
        }
        values["augmentation"] = rng.choice([None, "flip", True])
        values |= (
            {"model.depth": rng.choice([8, 20])}
            if model == "vdsr"
            else {"model.filters": rng.choice([[64, 32], [32, 16]])}
        )
        top = 41 - (math.log10(values["optimizer.lr"]) + 3) ** 2 + rng.gauss(0, 0.05)
        curve = {epoch: (top if number % 9 else 11.0) - 5 / epoch for epoch in range(1, epochs + 1)}
        state = ("pruned", "failed", "finished", "finished", "finished")[number % 5]
        if state != "finished":
            curve = {epoch: value for epoch, value in curve.items() if epoch <= number % 3}
        reached = (curve.get(epochs), 0.1 + 0.01 * values.get("model.depth", 3))
        trials.append(
            Trial(
                number=number,
                state=state,
                values=values,
                objectives=reached[: len(objectives)] if state == "finished" else None,
                curve=curve,
            )
        )
    return trials


def draw(drawn):
    for each in drawn.values():
        for picture in each.pictures:
            picture.canvas.draw()


def texts(each):
    for picture in each.pictures:
        picture.canvas.draw()
    found = [text for picture in each.pictures for text in picture.findobj(lambda a: hasattr(a, "get_text"))]
    below = [text for picture in each.pictures for axes in picture.axes for text in axes.get_xticklabels()]
    return [text.get_text() for text in [*found, *below]]


def finished(number=0, psnr=40.0, **facts):
    return Trial(number=number, state="finished", values={"optimizer.lr": 1e-3}, objectives=(psnr,), **facts)


@pytest.mark.parametrize("objectives", [ONE, TWO])
def test_a_whole_search_has_every_figure(objectives):
    trials = search(20, objectives=objectives)

    drawn = figures(trials, objectives, SPACE, bicubic_psnr=38.0)

    assert list(drawn) == [name for name in ALL if name != "pareto_front" or len(objectives) == 2]
    assert set(drawn) | set(left_out(trials, objectives, SPACE)) == set(ALL)
    for name, (pictures, part) in drawn.items():
        for place, picture in enumerate(pictures):
            picture.canvas.draw()
            assert f'id="{name}-{place}"' in part
    for_each = {"optimisation_history", "importance", "slice"}
    assert {name for name, each in drawn.items() if objectives == TWO and len(each.pictures) > 1} <= for_each
    assert "bicubic, 38.00 dB" in texts(drawn["learning_curves"])
    assert not any("Infeasible Trial" in texts(each) for each in drawn.values())  # a legend would push panels apart
    assert {"Best Value", "validation PSNR in dB", "pruned, best until then", "failed"} <= set(
        texts(drawn["optimisation_history"])
    )
    assert {"[64, 32]", "vdsr", "null", "flip"} <= set(texts(drawn["parallel_coordinates"]))
    assert {"[64, 32]", "vdsr", "null", "true"} <= set(texts(drawn["slice"]))
    assert "[64, 32]" in drawn["slice"].html
    assert "'vdsr'" not in drawn["slice"].html


@pytest.mark.parametrize(
    ("trials", "names"),
    [
        ([], ["optimisation_history"]),
        ([Trial(number=0, state="waiting", values={})], ["optimisation_history"]),
        ([Trial(number=0, state="failed", values={"model": "vdsr"})] * 3, ["optimisation_history"]),
        ([Trial(number=7, state="pruned", values={"model": "vdsr"}, curve={1: 30.0})], ALWAYS),
        ([Trial(number=2, state="running", values={}, curve={1: math.nan, 2: 30.0})], ALWAYS),
        ([finished(curve={1: 40.0})], [*ALWAYS, "parallel_coordinates", "slice"]),
        ([finished()], ["optimisation_history", "parallel_coordinates", "slice"]),
        ([finished(n, curve={1: 40.0}) for n in range(12)], [*ALWAYS, "parallel_coordinates", "slice"]),
        ([finished(n, psnr=math.nan) for n in range(3)], ["optimisation_history"]),
        ([replace(finished(4), values={})], ["optimisation_history"]),
    ],
    ids=["none", "waiting", "failed", "pruned", "running", "one", "no curve", "all the same", "not a number", "no key"],
)
def test_a_search_with_little_in_it_is_drawn_as_far_as_it_goes(trials, names):
    drawn = figures(trials, ONE, SPACE, bicubic_psnr=math.inf)

    assert list(drawn) == names
    draw(drawn)
    reasons = left_out(trials, ONE, SPACE)
    assert set(reasons) == set(ALL) - set(names)
    document = page(drawn, "little", reasons)
    assert all(reason in document for reason in reasons.values())


def test_why_there_is_no_importance_is_said():
    def reason(trials, space=SPACE):
        return left_out(trials, ONE, space)["importance"]

    assert reason([finished()]) == "it takes 10 finished trials, there is 1"
    assert reason([finished(n, n) for n in range(12)]) == "the finished trials have fewer than two keys to compare"
    same = [replace(trial, objectives=(40.0,)) for trial in search(40, objectives=ONE) if trial.objectives]
    assert reason(same) == "all finished trials reached the same"


@pytest.mark.parametrize("objectives", [ONE, TWO])
def test_the_key_that_decides_is_the_important_one(objectives):
    rng = random.Random(1)
    trials = [
        Trial(
            number=number,
            state="finished",
            values=(
                values := {"optimizer.lr": 10 ** rng.uniform(-5, -2), "trainer.batch_size": rng.choice([16, 32, 64])}
            ),
            objectives=(40 - abs(math.log10(values["optimizer.lr"]) + 3), 1.0)[: len(objectives)],
        )
        for number in range(60)
    ]

    axes = figures(trials, objectives, SPACE)["importance"].pictures[0].axes[0]

    keys = [label.get_text() for label in axes.get_yticklabels()]
    shares = dict(zip(keys, (bar.get_width() for bar in axes.patches), strict=True))
    assert keys[-1] == "optimizer.lr"  # the uppermost
    assert shares["optimizer.lr"] > 0.7
    assert sum(shares.values()) == pytest.approx(1)


def test_the_best_so_far_is_that_of_the_finished_trials_by_number():
    trials = [
        finished(0, 38.0),
        Trial(number=1, state="pruned", values={}, curve={1: 45.0, 2: 39.5}),
        finished(3, 40.0),
        finished(4, 39.0),
    ]

    axes = figures(trials, ONE, SPACE)["optimisation_history"].pictures[0].axes[0]

    lines = {line.get_label(): (*line.get_xdata(), *line.get_ydata()) for line in axes.lines}
    assert lines["Best Value"] == (0, 1, 2, 3, 4, 38, 38, 38, 40, 40)
    assert lines["pruned, best until then"] == (1, 45)


def test_a_diverged_trial_does_not_squeeze_the_others():
    trials = [finished(number, 40 + number / 10, curve={1: 40.0}) for number in range(10)] + [finished(10, 8.0)]

    drawn = figures(trials, ONE, SPACE)

    assert drawn["optimisation_history"].pictures[0].axes[0].get_ylim()[0] > 39
    assert "below the axis" in texts(drawn["optimisation_history"])
    assert "8" not in texts(drawn["parallel_coordinates"])


def test_bicubic_is_always_in_sight():
    drawn = figures([finished(0, 40.0, curve={1: 40.0})], ONE, SPACE, bicubic_psnr=31.0)

    for name in ALWAYS:
        low, high = drawn[name].pictures[0].axes[0].get_ylim()
        assert low < 31
        assert high > 40


def test_values_that_the_space_no_longer_has_are_drawn_too():
    trials = [replace(finished(), values={"optimizer.lr": 0.5, "model": "old", "trainer.batch_size": 17, "gone": 1})]

    drawn = figures(trials, ONE, SPACE)["parallel_coordinates"]

    assert {"old", "17"} <= set(texts(drawn))
    (rate,) = (axes for axes in drawn.pictures[0].axes if axes.get_yscale() == "log")
    assert rate.get_ylim()[0] < 0.5 < rate.get_ylim()[1]
    assert "gone" not in texts(drawn)


def test_nothing_from_the_configuration_is_taken_for_markup():
    bad = "</script><b onclick=x>$\\frac{$"
    space = {bad: {"type": "categorical", "choices": [bad, "1"]}, "x": {"type": "int", "low": 1, "high": 3}}
    trials = [
        replace(finished(n, 40 + n, curve={1: 40.0}), values={bad: (bad, "1")[n % 2], "x": 1 + n % 3})
        for n in range(12)
    ]

    drawn = figures(trials, ONE, space)
    document = page(drawn, bad)

    draw(drawn)
    assert bad.replace("$", r"\$") in texts(drawn["importance"])  # which Matplotlib shows as a dollar sign
    assert "<b onclick" not in document
    assert "\\u003cb onclick" not in document  # Plotly would take it for bold
    assert "<title>&lt;/script&gt;" in document


def test_the_page_is_small_and_asks_nothing_of_the_network():
    trials = search(60, epochs=30)

    document = page(figures(trials, TWO, SPACE, bicubic_psnr=38.0), "search")

    assert len(document.encode()) < 5.4e6
    assert document.count("* plotly.js v") == 1
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"']?(https?:)?//", document)
    # Since Plotly 7 a button would send the figure to its maker's server.
    assert document.count('"showSendToCloud": false') == document.count("Plotly.newPlot(") - script_calls()


def script_calls():
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().count("Plotly.newPlot(")


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine; .ci/run installs it")
def test_a_browser_draws_the_page_without_a_complaint(tmp_path):
    trials = search(30)
    drawn = figures(trials, TWO, SPACE, bicubic_psnr=38.0)
    (tmp_path / "search.html").write_text(page(drawn, "search", left_out(trials, TWO, SPACE)), encoding="utf-8")

    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    log = ["--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
    dump = ["--virtual-time-budget=20000", "--dump-dom", f"file://{tmp_path / 'search.html'}"]
    done = subprocess.run([BROWSER, *quiet, *log, *dump], capture_output=True, text=True, timeout=120, check=True)

    assert "CONSOLE" not in done.stderr
    parts = sum(part.count("Plotly.newPlot(") for _, part in drawn.values())
    assert done.stdout.count('class="main-svg"') >= parts
    assert len(re.findall(r'<section id="?(\w+)', done.stdout)) == len(ALL)
    assert "validation PSNR in dB</text>" in done.stdout


def test_drawing_leaves_no_trace_in_the_process(capfd, recwarn):
    from matplotlib import pyplot as plt

    mine, looks = plt.figure(), dict(plt.rcParams)
    chosen = plt.get_backend()

    figures(search(12), TWO, SPACE)

    assert plt.get_fignums() == [mine.number]
    assert (plt.get_backend(), dict(plt.rcParams)) == (chosen, looks)
    assert [*capfd.readouterr(), *recwarn] == ["", ""]
    plt.close(mine)


def test_drawing_uses_no_display_and_importing_loads_nothing_heavy():
    code = (
        "import sys, srexp.evaluation.search_report.figures, srexp.evaluation.search_report.table;"
        "assert not {'matplotlib', 'optuna', 'plotly'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
