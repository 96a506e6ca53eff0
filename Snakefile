# weft: `snakemake --cores all` in this folder runs the default experiment. The workflow is in workflow/Snakefile.


include: "workflow/Snakefile"
