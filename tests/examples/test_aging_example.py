"""The example of ageing runs, draws its picture, and shows what it says."""

from statistics import fmean

import aging


def test_the_example_ages_calibrates_and_draws(tmp_path, capsys):
    found = aging.main(["--chips", "1", "--output", str(tmp_path / "aging.html")])
    page = (tmp_path / "aging.html").read_text("utf-8")
    assert "time since programming" in page
    assert "cdn.plot.ly" not in page.split("</script>")[-1]
    assert "left alone" in capsys.readouterr().out
    drifted = found.accuracies["Phase-change memory"]
    month = {remedy: fmean(moments["1 month"]) for remedy, moments in drifted.items()}
    assert found.exact > 0.9
    assert month["left alone"] < found.exact - 0.08
    assert month["one scale per layer"] > found.exact - 0.05
    assert month["gain and offset per column"] > found.exact - 0.05
    assert month["written again every week"] > month["left alone"]
