"""Polars: what the augmentation of a service's stream really draws, as a table.

    millrace serve digits
    python examples/service_polars.py grpc://127.0.0.1:8815

`millrace.connect` needs NumPy and pyarrow alone: `pip install millrace-client polars`.
"""

import argparse

import polars as pl

import millrace


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--epochs", type=int, default=2)
    given = parser.parse_args()
    stream = millrace.connect(given.address)
    drawn = ["label", "sample", "dx", "dy", "angle", "scale_x"]
    table = pl.concat([pl.from_arrow(batch.select(drawn)) for batch in stream.arrow(given.epochs)])
    found = (
        table.group_by("label")
        .agg(pl.len().alias("rows"), pl.col("sample").n_unique().alias("samples"), pl.col("angle").std())
        .sort("label")
        .with_columns(pl.col("label").map_elements(lambda label: stream.classes[label], pl.String).alias("class"))
    )
    print(found)
    print(f"{len(table)} rows, {table['sample'].n_unique()} samples, angles to {table['angle'].abs().max():.1f}°")


if __name__ == "__main__":
    main()
