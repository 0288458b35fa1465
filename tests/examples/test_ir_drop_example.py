"""The example of wires runs, draws its picture, and shows what wires do."""

import ir_drop


def test_the_example_solves_maps_and_draws(tmp_path, capsys):
    errors, accuracies = ir_drop.main(["--sides", "32", "64", "--output", str(tmp_path / "ir_drop.html")])
    page = (tmp_path / "ir_drop.html").read_text("utf-8")
    assert "wire resistance of a segment" in page
    assert "cdn.plot.ly" not in page.split("</script>")[-1]
    assert "Digits on 128 x 128 cells" in capsys.readouterr().out
    for row in errors.values():
        exact = [point[0] for point in row]
        assert exact == sorted(exact)
        assert abs(row[0][1] - exact[0]) < 0.01 * exact[0]
    assert all(errors[64][number][0] > 2 * errors[32][number][0] for number in range(len(ir_drop.OHMS)))
    assert accuracies[0.0] > 0.9
    assert accuracies[30.0] < 0.5
