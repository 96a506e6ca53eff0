# Test questions, training examples and the base model, which are generated, shipped or downloaded.


# The Python file of a custom benchmark is no input, because a change of its scoring changes no question.
rule questions:
    output:
        RESULTS.questions("{benchmark}"),
    log:
        RESULTS.log("questions", "{benchmark}"),
    conda:
        "../../envs/weft.yaml"
    params:
        file=experiment_file,
        settings=settings_of("questions"),
        generators=lambda wildcards: generators_of(
            EXPERIMENT.benchmarks[wildcards.benchmark]
        ),
        text=lambda wildcards: QUESTION_TEXTS.get(wildcards.benchmark),
        offline=offline_options,
    shell:
        "python -m weft data benchmark --experiment {params.file:q} --out {output} {params.offline} "
        "{wildcards.benchmark} > {log} 2>&1"


rule validation:
    output:
        RESULTS.validation("{benchmark}"),
    log:
        RESULTS.log("validation", "{benchmark}"),
    conda:
        "../../envs/weft.yaml"
    params:
        file=experiment_file,
        settings=settings_of("validation"),
        generators=lambda wildcards: generators_of(
            EXPERIMENT.benchmarks[wildcards.benchmark]
        ),
    shell:
        "python -m weft data validation --experiment {params.file:q} --out {output} {wildcards.benchmark} "
        "> {log} 2>&1"


rule examples:
    input:
        lambda wildcards: custom_files(EXPERIMENT.datasets[wildcards.dataset]),
    output:
        RESULTS.examples("{dataset}"),
    log:
        RESULTS.log("examples", "{dataset}"),
    conda:
        "../../envs/weft.yaml"
    params:
        file=experiment_file,
        settings=settings_of("examples"),
        generators=lambda wildcards: generators_of(
            EXPERIMENT.datasets[wildcards.dataset]
        ),
        offline=offline_options,
    shell:
        "python -m weft data dataset --experiment {params.file:q} --out {output} {params.offline} "
        "{wildcards.dataset} > {log} 2>&1"


rule prepare:
    input:
        examples=RESULTS.examples("{dataset}"),
        base=RESULTS.base,
    output:
        directory(RESULTS.prepared("{dataset}")),
    log:
        RESULTS.log("prepare", "{dataset}"),
    conda:
        "../../envs/weft.yaml"
    params:
        file=experiment_file,
        settings=settings_of("prepare"),
    shell:
        "python -m weft data prepare --experiment {params.file:q} --examples {input.examples} "
        "--base {input.base} --out {output} > {log} 2>&1"


# Sampling waits for the check of its training set, whose questions it asks anyway.
rule check:
    input:
        examples=RESULTS.examples("{dataset}"),
        questions=QUESTIONS,
        base=RESULTS.base,
    output:
        check=RESULTS.check("{dataset}"),
    log:
        RESULTS.log("check", "{dataset}"),
    conda:
        "../../envs/weft.yaml"
    params:
        file=experiment_file,
        settings=settings_of("check"),
        questions=lambda wildcards, input: options("--questions", input.questions),
    shell:
        "python -m weft data check --experiment {params.file:q} --examples {input.examples} "
        "{params.questions} --base {input.base} --out {output.check} > {log} 2>&1 && cat {log}"


# The first check of a training set also comes before any training with it. Afterwards the file that training
# depends on is no output of a rule, so that later checks, with other questions, run no training again.
# ancient() does not serve: Snakemake overlooks other reasons to run a job if an ancient input is made again.
if UNCHECKED:

    ruleorder: check_first > check

    use rule check as check_first with:
        output:
            check=RESULTS.check("{dataset}"),
            passed=touch(RESULTS.first_check("{dataset}")),
        wildcard_constraints:
            dataset=any_of(UNCHECKED),


rule pretrain:
    output:
        directory(RESULTS.pretrained),
    log:
        RESULTS.log("pretrain"),
    benchmark:
        RESULTS.benchmark("pretrain")
    conda:
        "../../envs/weft.yaml"
    threads: 1  # more threads change the rounding of sums
    resources:
        gpu=gpus(1),
        mem_mb=4000,
        runtime="4h",
    params:
        file=experiment_file,
        settings=settings_of("pretrain"),
        code=source_digest(*PRETRAINING_CODE),
        device=device,
    shell:
        "python -m weft pretrain --experiment {params.file:q} --threads {threads} "
        "--device {params.device} --out {output} > {log} 2>&1"


rule place_base:
    input:
        local=custom_files(BASE_MODEL),
        retrained=(
            RESULTS.pretrained if getattr(BASE_MODEL, "use", "") == "retrained" else []
        ),
    output:
        directory(RESULTS.base),
    log:
        RESULTS.log("base"),
    conda:
        "../../envs/weft.yaml"
    params:
        file=experiment_file,
        settings=settings_of("base"),
        offline=offline_options,
        retrained=lambda wildcards, input: (
            f"--retrained {input.retrained}" if input.retrained else ""
        ),
    shell:
        "python -m weft data base --experiment {params.file:q} --out {output} {params.offline} "
        "{params.retrained} > {log} 2>&1"
