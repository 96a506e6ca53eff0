# An image with weft and the exact versions of envs/*.lock.txt (docs/guides/container.md).
# NOT BUILT HERE: the machines on which weft is developed have no container engine. `make setup`, which installs
# everything, is tested there; this file is only checked for the files and the command that it names.
#
#   docker build --tag weft .
#   docker run --rm --volume "$PWD:/project" weft snakemake --snakefile /opt/weft/Snakefile --cores all

FROM python:3.11-bookworm

ENV PIP_NO_CACHE_DIR=1
WORKDIR /opt/weft
COPY . .
RUN make setup PYTHON=python3.11
# Torch makes a lock beside DeepSpeed's compiled extension, also when a user runs it who is not root.
RUN chmod -R a+rwX .venv/torch_extensions

# Results are written to /project, which the user mounts; a user without a home directory writes caches to /tmp.
ENV PATH=/opt/weft/.venv/bin:$PATH HOME=/tmp
WORKDIR /project
CMD ["weft", "--help"]
