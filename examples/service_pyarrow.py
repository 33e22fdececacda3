"""Plain pyarrow, nothing of Millrace: any batch of a service by its number.

    millrace serve mnist
    python examples/service_pyarrow.py grpc://127.0.0.1:8815

A ticket is a line of JSON: the stream by its digest, and a step; or steps from … to, of one of `world` ranks.
"""

import argparse
import json
import os

from pyarrow import flight


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    token = os.environ.get("MILLRACE_TOKEN")
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    options = flight.FlightCallOptions(timeout=60, headers=headers)  # without a deadline a call may wait for ever

    client = flight.FlightClient(given.address)
    [answer] = client.do_action(flight.Action("describe", b""), options)
    told = json.loads(answer.body.to_pybytes())
    print(f"{told['dataset']}: {told['samples']} samples, {told['steps_per_epoch']} steps an epoch of {told['batch']}")

    steps = min(given.steps, told["steps"])
    ticket = {"millrace": 1, "stream": told["stream"], "from": 0, "to": steps}
    rows, counts = 0, [0] * len(told["classes"])
    for chunk in client.do_get(flight.Ticket(json.dumps(ticket).encode()), options):
        step, batch = json.loads(chunk.app_metadata.to_pybytes())["step"], chunk.data
        images = batch.column("image").to_numpy_ndarray()  # uint8 (rows, C, H, W), without a copy
        for label in batch.column("label").to_pylist():
            counts[label] += 1
        rows += len(images)
        if step == 0:
            print(f"step 0: images {images.shape} {images.dtype}, columns {', '.join(batch.schema.names)}")
    print(f"{rows} rows of {steps} steps")
    print(f"counts {' '.join(map(str, counts))}")


if __name__ == "__main__":
    main()
