from weft.config import load_experiment
from weft.config.sources import FileData, HubDataset, LocalModel
from weft.data.hub import MODEL_SUFFIXES
from weft.data.pins import add_pin
from weft.plan import plan_lines


def plan(name, offline=(), pins=None):
    described = load_experiment(f"experiments/{name}.yaml")
    return "\n".join(plan_lines(described, offline=list(offline), pins=pins))


def test_the_papers_grid_is_counted():
    text = plan("paper")
    assert "6 training runs" in text
    assert "7 sampling jobs" in text
    assert "each answers 4 benchmarks at the lengths [128, 256, 512]" in text
    assert "3 pages that show answers step by step: 4 questions each, length 128" in text
    assert "to download: GSAI-ML/LLaDA-8B-Instruct" in text


def test_the_models_and_tests_of_an_evaluation_are_listed(tmp_path):
    text = plan("published-s1k")
    assert "4 sampling jobs, one for each model" in text
    assert "paired test: dream-s1k minus dream" in text
    assert "to download: OnAnOrange/Dream-7B-Instruct-s1k-sft (main, not pinned" in text
    assert "training" not in text.split("minus dream")[1]
    described = load_experiment("experiments/published-s1k.yaml")
    base = LocalModel(source="path", path=str(tmp_path / "none"))
    models = {"tuned": described.models["dream"].model_copy(update={"base": base})}
    changed = described.model_copy(update={"models": models, "contrasts": []})
    assert f"missing: {tmp_path / 'none'}" in "\n".join(plan_lines(changed, offline=[]))


def test_without_benchmarks_nothing_is_sampled():
    described = load_experiment("experiments/tiny.yaml")
    alone = described.model_copy(update={"benchmarks": {}, "learning_curve": None})
    text = "\n".join(plan_lines(alone, offline=[]))
    assert "10 training runs" in text
    assert "sampling" not in text


def test_approximate_sampling_is_named():
    described = load_experiment("experiments/tiny.yaml")
    modes = {"kv_cache": "dual", "confidence_threshold": 0.9, "tokens_per_step": None}
    changed = described.model_copy(update={"sampling": described.sampling.model_copy(update=modes)})
    text = "\n".join(plan_lines(changed, offline=[], pins=None))
    assert "approximate sampling: dual cache, threshold 0.9" in text
    assert "one forward pass for one or more tokens" in text
    assert "approximate" not in plan("tiny")


def test_the_tiny_experiment_needs_nothing_from_outside():
    assert "download" not in plan("tiny")


def test_missing_files_of_the_user_are_listed(tmp_path):
    model, train = tmp_path / "my-llada", tmp_path / "train.jsonl"
    changes = {
        "base_model": LocalModel(source="path", path=str(model)),
        "datasets": {"mine": FileData(source="jsonl", path=str(train))},
    }
    described = load_experiment("experiments/tiny.yaml").model_copy(update=changes)
    missing = [f"  missing: {path}" for path in (model, train)]
    assert [line for line in plan_lines(described, offline=[]) if "missing" in line] == missing
    relative = {"datasets": {"mine": FileData(source="file", path="nowhere.jsonl")}}
    lines = [*plan_lines(described.model_copy(update=relative), offline=[])]
    assert "  missing: nowhere.jsonl, looked up in the folder of the experiment file and in this one" in lines
    model.touch()
    lines = [*plan_lines(described, offline=[])]
    assert f"  not a directory: {model}" in lines
    model.unlink()
    model.mkdir()
    train.touch()
    assert not any("missing" in line for line in plan_lines(described, offline=[]))


def test_missing_generations_are_listed():
    assert plan("d1-baselines").count("missing: generations.folder") == 1


S1K = "simplescaling/s1K/data/train-00000-of-00001.parquet"


def test_files_from_the_hub_are_listed_with_their_pins():
    text = plan("paper")
    assert (
        "to download: GSAI-ML/LLaDA-8B-Instruct (commit 08b83a6f, hashes recorded at the first use)" in text
    )
    assert f"to download: {S1K} (main, not pinned: commit and hash are recorded at the first use)" in text
    assert "00000-of-00010.parquet (commit e4e141ec, hash recorded at the first use)" in text
    assert "to download: gsm8k/test.jsonl (pinned by hash)" in text


def test_pins_of_the_first_use_are_listed(tmp_path):
    pins = tmp_path / "paper.lock.json"
    files = {"data/train-00000-of-00001.parquet": "1" * 64}
    add_pin(pins, "dataset", "simplescaling/s1K", "main", commit="a" * 40, files=files)
    add_pin(pins, "dataset", "simplescaling/s1K-1.1", "main", commit="b" * 40, files={"other": "1" * 64})
    text = plan("paper", pins=pins)
    assert f"to download: {S1K} (main is commit aaaaaaaa by {pins}, pinned by hash)" in text
    assert f"(main is commit bbbbbbbb by {pins}, hash recorded at the first use)" in text


def test_an_offline_copy_is_listed_with_its_pin(tmp_path):
    (tmp_path / S1K).parent.mkdir(parents=True)
    (tmp_path / S1K).touch()
    assert f"found: {tmp_path / S1K} (main, not pinned" in plan("paper", offline=[str(tmp_path)])


def test_a_data_set_of_the_hub_is_listed_by_its_repository(tmp_path):
    source = HubDataset.model_validate({"source": "hub", "dataset": "owner/set[train:10]"})
    described = load_experiment("experiments/tiny.yaml").model_copy(update={"datasets": {"mine": source}})
    pins = tmp_path / "mine.lock.json"
    text = "\n".join(plan_lines(described, offline=[], pins=pins))
    assert (
        "to download: owner/set (main, not pinned: commit and hashes are recorded at the first use)" in text
    )
    add_pin(pins, "dataset", "owner/set", "main", commit="a" * 40, files={"train.csv": "1" * 64})
    (tmp_path / "owner/set").mkdir(parents=True)
    text = "\n".join(plan_lines(described, offline=[str(tmp_path)], pins=pins))
    assert f"found: {tmp_path}/owner/set (main is commit aaaaaaaa by {pins}, pinned by hashes)" in text


def test_every_download_has_a_size_an_address_and_a_place(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    text = plan("paper", offline=["copies"])
    commit = "08b83a6feb34df1a6011b80c3c00c7563e963b07"
    assert (
        f"16.0 GB from https://huggingface.co/GSAI-ML/LLaDA-8B-Instruct/tree/{commit}, its files that end in "
        f"{', '.join(MODEL_SUFFIXES)}, or as copies/GSAI-ML/LLaDA-8B-Instruct" in text
    )
    assert f"16 MB from https://huggingface.co/datasets/simplescaling/s1K/resolve/main/{S1K[18:]}" in text
    assert "0.8 MB from https://raw.githubusercontent.com/openai/grade-school-math/" in text
    assert "/eval/gsm8k.py, or as copies/d1_code/eval/gsm8k.py" in text
    downloads = [line for line in text.splitlines() if "to download" in line]
    assert len(downloads) == len([line for line in text.splitlines() if " from http" in line]) == 13
    assert "13 downloads, 16.3 GB" in text


def test_a_mirror_of_the_hub_and_a_pin_are_in_the_addresses(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://localhost:8000/")
    pins = tmp_path / "paper.lock.json"
    add_pin(pins, "dataset", "simplescaling/s1K", "main", commit="a" * 40, files={})
    assert f"http://localhost:8000/datasets/simplescaling/s1K/resolve/{'a' * 40}/data" in plan(
        "paper", pins=pins
    )


def test_a_download_of_unknown_size():
    described = load_experiment("experiments/paper.yaml")
    data = {"mine": HubDataset(source="hub", dataset="me/mine")}
    text = "\n".join(plan_lines(described.model_copy(update={"datasets": data}), offline=[]))
    assert (
        "unknown size from https://huggingface.co/datasets/me/mine/tree/main, the files of its split" in text
    )
    assert ", and 1 of unknown size" in text
