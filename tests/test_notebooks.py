"""The notebooks of the docs run from top to bottom."""

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="make test-notebooks has it")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("tensorflow")

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
SHOWN = {
    "reuse_a_layer": ["image/png"],
    "forecast_a_csv": ["image/png", "text/html"],
    "write_with_a_language_model": ["text/html"],
}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda p: p.stem)
def test_the_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    # What stands in the repository has no output.
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code)
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    kinds = {
        kind for cell in code for out in cell.outputs for kind in out.get("data", {})
    }
    assert {"text/plain", *SHOWN[path.stem]} <= kinds
