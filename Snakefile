# weft: from data to the paper's tables and figures.  This file is a table of contents.
#
#   snakemake --cores all                                        the default experiment
#   snakemake --cores all --config experiment=d1-baselines       another one (experiments/)
#   snakemake -n --config experiment=paper                       what the 8B experiment would do
#
# What is compared stands in the experiment file, how it is run here in config.yaml and profiles/.

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
        experiment_files("tables", "figures", "traces", "report"),


rule data:
    input:
        experiment_files("data"),


rule base:
    input:
        experiment_files("pretrained"),


rule models:
    input:
        experiment_files("models"),


rule exports:
    input:
        experiment_files("exports"),


rule samples:
    input:
        experiment_files("samples"),


rule scores:
    input:
        experiment_files("scores"),


if FINE_TUNING:

    include: "workflow/rules/data.smk"
    include: "workflow/rules/train.smk"
    include: "workflow/rules/sample.smk"
    include: "workflow/rules/trace.smk"


include: "workflow/rules/score.smk"
include: "workflow/rules/report.smk"
