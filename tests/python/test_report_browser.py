"""The HTML report in a real browser: plots, tables, keyboard, drawings, hostile names; no request and no error."""

import json
import shutil
import time

import pytest
import torch
import torch_integral as inn
from networks import Residual

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")

EVIL = "<img src=x onerror=document.title='broken'></script><script>document.title='broken'</script>&\"'"
RESULTS = [
    {"method": method, "refit": refit, "keep": keep, "accuracy": accuracy, "correct": int(2000 * accuracy), "count": 2000,
     "loss": 1 - accuracy, "macs": 40e6 * keep, "parameters": 270_000 * keep}
    for method, refit, keep, accuracy in [("quadrature", True, 0.7, 0.86), ("quadrature", True, 0.5, 0.81), ("l1", False, 0.7, 0.74), ("l1", False, 0.5, 0.55)]
]
COMPARISON = {"source": {"accuracy": 0.89, "correct": 1775, "count": 2000, "loss": 0.37, "macs": 40e6, "parameters": 270_000},
              "results": RESULTS, "run": {"command": "inn compare net.pt2"}}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page of documents from its file; afterwards nothing may have failed or been requested."""
    problems, contexts = [], []

    def opened(page, **options):
        path = tmp_path / "report.html"
        path.write_text(page, encoding="utf-8")
        contexts.append(browser.new_context(**options))
        tab = contexts[-1].new_page()
        tab.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: problems.append(request.url) if request.url != path.as_uri() else None)
        tab.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            tab.wait_for_selector("html[data-ready]", timeout=10_000)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def page_of(*documents, title="report", drawing=""):
    return inn._core.html_report(title, [(json.dumps(document), drawing) for document in documents])


@pytest.mark.parametrize("size", [(1400, 900), (420, 800)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_comparison_at_two_sizes_light_and_dark(show, size, scheme):
    tab = show(page_of(COMPARISON), viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    assert tab.locator("#quality canvas").count() == 1
    width = tab.evaluate("document.documentElement.scrollWidth")
    assert width <= size[0]  # nothing makes the page scroll sideways
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert len(tab.screenshot()) > 10_000
    tab.select_option("#quality select >> nth=0", "loss")
    tab.select_option("#quality select >> nth=1", "parameters")
    tab.check("#quality input[type=checkbox]")
    assert "logarithmic" in tab.locator("#quality .controls").inner_text()
    assert tab.locator("#quality canvas").count() == 1


def test_points_name_themselves_and_mark_their_row(show):
    tab = show(page_of(COMPARISON))
    plot = tab.locator("#quality .u-over")
    box = plot.bounding_box()
    tab.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)  # the least multiply-adds
    tab.wait_for_function("document.querySelector('#quality .tip').textContent.includes('multiply-adds 20 M')")
    assert tab.locator("tr.marked").count() == 1


def test_two_runs_stand_side_by_side(show):
    tab = show(page_of(COMPARISON, COMPARISON), viewport={"width": 1400, "height": 900})
    left, right = (tab.locator(f"section[data-run='{i}']").bounding_box() for i in (0, 1))
    assert left["y"] == right["y"] and right["x"] >= left["x"] + left["width"]
    assert "l1 (run 2)" in tab.locator("#quality .u-legend").inner_text()


def test_tables_are_searched_and_sorted(show):
    groups = [{"name": f"layer{i}.conv", "source_width": 64, "width": 64 - i, "error": 0.01 * i, "curve": [1 / (w + 1) for w in range(64)],
               "nodes": [0, 2, 5]} for i in range(12)]
    tab = show(page_of({"groups": groups}))
    rows = tab.locator("table[data-key=groups] tbody tr")
    tab.fill("input[type=search]", "layer11")
    assert [row.is_visible() for row in rows.all()].count(True) == 1
    tab.fill("input[type=search]", "")
    tab.click("table[data-key=groups] thead button:has-text('width') >> nth=1")
    assert "layer11" in rows.first.inner_text()
    rows.first.focus()
    tab.keyboard.press("Enter")
    assert "layer11.conv" in tab.locator(".chosen-group").inner_text()
    assert "kept channels: 0, 2, 5" in tab.locator(".chosen-group").inner_text()
    assert tab.locator(".chosen-group canvas").count() == 1


def test_a_group_is_marked_in_the_drawing(show):
    if shutil.which("dot") is None:
        pytest.skip("no Graphviz here")
    torch.manual_seed(0)
    tab = show(inn.analyze(Residual(), (2, 3, 8, 8)).to_html())
    tab.click("table[data-key=groups] tbody tr >> nth=0")
    marked, faded = tab.locator(".drawing g.node.marked").count(), tab.locator(".drawing g.node.faded").count()
    assert marked > 0 and faded > 0
    assert "members" in tab.locator(".chosen-group").inner_text()


def test_training_is_drawn_over_epochs(show):
    epochs = [{"epoch": e, "loss": 1 / (e + 1), "accuracy": 1 - 1 / (e + 2), "learning_rate": 0.1, "seconds": 2.0} for e in range(6)]
    tab = show(page_of({"epochs": epochs}))
    tab.select_option(".plots select", "accuracy")
    assert tab.locator(".plots canvas").count() == 1


def test_names_are_text_and_nothing_else(show):
    document = {**COMPARISON, "results": [{**RESULTS[0], "method": EVIL}, RESULTS[1]], "notes": [EVIL], EVIL: EVIL,
                "groups": [{"name": EVIL, "source_width": 8, "width": 4, "members": [{"tensor": EVIL, "axis": 0, "role": EVIL}]}]}
    tab = show(page_of(document, title=EVIL))
    tab.click("table[data-key=groups] tbody tr >> nth=0")
    assert tab.title() == EVIL and tab.locator("h1").inner_text() == EVIL
    assert EVIL in tab.locator("table[data-key=groups]").inner_text()
    assert tab.locator("img").count() == 0


def test_without_scripts_the_tables_remain(show):
    tab = show(page_of(COMPARISON), java_script_enabled=False)
    assert "86.00 %" in tab.locator("table[data-key=results]").inner_text()


def test_ten_thousand_groups_are_usable(show):
    groups = [{"name": f"decoder.layers.{i}.mlp.gate", "width": 64, "pinned": None,
               "members": [{"tensor": f"decoder.layers.{i}.mlp.{name}", "axis": 0, "role": "produce"} for name in ("weight", "bias")]}
              for i in range(10_000)]
    page = page_of({"groups": groups})
    assert len(page) < 5e6
    started = time.perf_counter()
    tab = show(page)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    tab.fill("input[type=search]", "layers.9999.")
    tab.wait_for_function("[...document.querySelectorAll('table[data-key=groups] tbody tr')].filter((row) => !row.hidden).length === 1")
    print(f"opened in {seconds:.2f} s, searched in {time.perf_counter() - started:.2f} s")
    assert seconds < 4 and time.perf_counter() - started < 2  # 1 and 0.2 s here


def test_python_objects_show_themselves(show, tmp_path):
    small = inn.resample(Residual(), (2, 3, 8, 8), keep=0.5, method="l1")
    page = small.to_html(tmp_path / "small.html")
    assert (tmp_path / "small.html").read_text(encoding="utf-8") == page
    assert show(page).locator("table[data-key=groups] tbody tr").count() == len(small.report)
    assert small._repr_html_().startswith("<iframe srcdoc=")
