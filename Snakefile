# weft: from data to the paper's tables and figures. This file lists the targets and the rules.
#
#   snakemake --cores all                                        the default experiment
#   snakemake --cores all --config experiment=d1-baselines       another experiment (experiments/)
#   snakemake -n --config experiment=paper                       the plan of the 8B experiment
#
# The experiment file defines what is compared; config.yaml and profiles/ define how it is run.

from snakemake.utils import min_version

min_version("9.20")


configfile: workflow.source_path("config.yaml")


report: "workflow/report/workflow.rst"


container: "docker://python:3.11-bookworm"


include: "workflow/rules/common.smk"


localrules:
    all,
    data,
    base,
    models,
    exports,
    samples,
    scores,


rule all:
    input:
        TABLES,
        FIGURES,
        TRACES,
        RESULTS.page,


rule data:
    input:
        QUESTIONS,
        PREPARED,


rule base:
    input:
        RESULTS.pretrained,


rule models:
    input:
        MODELS,
        PLACED,


rule exports:
    input:
        EXPORTS,


rule samples:
    input:
        [RESULTS.samples(*cell) for cell in CELLS],


rule scores:
    input:
        SCORES,


if IS_SAMPLED:

    include: "workflow/rules/data.smk"
    include: "workflow/rules/sample.smk"
    include: "workflow/rules/trace.smk"


if IS_TRAINED:

    include: "workflow/rules/train.smk"


if PLACED:

    include: "workflow/rules/models.smk"


include: "workflow/rules/score.smk"
include: "workflow/rules/report.smk"
