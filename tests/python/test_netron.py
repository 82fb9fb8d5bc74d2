"""Files that are written here open in Netron, which parses them by itself, in a real browser."""

import shutil
import socket

import pytest
import torch
import torch_integral as inn
from networks import Residual

netron = pytest.importorskip("netron")
playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")

# Netron replaces window.eval by a refusal, and playwright needs it.
KEEP_EVAL = "const kept = window.eval; Object.defineProperty(window, 'eval', {get: () => kept, set: () => {}})"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("netron")
    torch.manual_seed(0)
    residual, images = Residual().eval(), torch.randn(2, 3, 8, 8)
    small = inn.resample(residual, images, keep=0.5, method="l1").model.eval()
    with torch.no_grad():
        torch.export.save(torch.export.export(small, (images,)), folder / "exported.pt2")
    inn._core.Network.read(folder / "exported.pt2").write(folder / "small.pt2")
    inn.save_onnx(small, folder / "small.onnx", images)
    inn.elastic(residual, images).save(folder / "integral.pt2")
    decoder = torch.nn.Sequential(torch.nn.Embedding(11, 8), torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)).eval()
    inn.save_onnx(decoder, folder / "decoder.onnx", torch.zeros(2, 5, dtype=torch.int64))
    return folder


@pytest.mark.parametrize("name", ["small.pt2", "integral.pt2", "small.onnx", "decoder.onnx"])
def test_netron_draws(files, name):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    host = f"http://{address[0]}:{address[1]}"
    netron.start(str(files / name), browse=False, address=address)
    try:
        with playwright.sync_playwright() as running:
            browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            context = browser.new_context(bypass_csp=True)
            context.add_cookies([{"name": "consent", "value": "1", "url": host}])
            page = context.new_page()
            page.route(lambda url: not url.startswith(host), lambda route: route.abort())
            page.add_init_script(KEEP_EVAL)
            page.goto(host)
            page.wait_for_function("document.body.classList.contains('default') || document.body.classList.contains('alert')", timeout=20_000)
            drawn = page.locator("g.node").count()
            assert "default" in page.evaluate("document.body.className"), page.locator("#message-text").text_content()
            assert drawn >= 5
            browser.close()
    finally:
        netron.stop(address)
