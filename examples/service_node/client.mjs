// Node: any batch of a service by its number, over gRPC, decoded by Apache Arrow. Nothing of Python.
//
//     millrace serve digits
//     cd examples/service_node && npm install
//     node client.mjs 127.0.0.1:8815 20
//
// Arrow Flight is one gRPC service. Two of its methods are enough: DoAction tells what is served, DoGet gives batches.
import { createHash } from "node:crypto";
import grpc from "@grpc/grpc-js";
import { RecordBatchReader } from "apache-arrow";

const [address = "127.0.0.1:8815", wanted = "20"] = process.argv.slice(2);

// Protocol buffers, as far as Flight needs them: every field that is used here is bytes.
function encode(fields) {
  const parts = [];
  for (const [number, bytes] of fields) parts.push(varint((number << 3) | 2), varint(bytes.length), bytes);
  return Buffer.concat(parts);
}

function varint(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

function decode(buffer) {
  const fields = {};
  let at = 0;
  const next = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = buffer[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < buffer.length) {
    const key = next();
    if ((key & 7) === 2) {
      const size = next();
      fields[key >> 3] = buffer.subarray(at, at + size);
      at += size;
    } else next();
  }
  return fields;
}

const streaming = (path) => ({
  path: `/arrow.flight.protocol.FlightService/${path}`,
  requestStream: false,
  responseStream: true,
  requestSerialize: encode,
  requestDeserialize: decode,
  responseSerialize: encode,
  responseDeserialize: decode,
});
const Flight = grpc.makeGenericClientConstructor({ doGet: streaming("DoGet"), doAction: streaming("DoAction") });
const client = new Flight(address, grpc.credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });
const metadata = new grpc.Metadata();
if (process.env.MILLRACE_TOKEN) metadata.set("authorization", `Bearer ${process.env.MILLRACE_TOKEN}`);
const soon = () => ({ deadline: Date.now() + 60_000 });

// FlightData is an Arrow message in two fields, header (2) and body (1000); an IPC stream has a length before each.
const steps = [];
async function* ipc(call) {
  for await (const data of call) {
    const header = data[2] ?? Buffer.alloc(0);
    if (data[3]?.length) steps.push(JSON.parse(data[3]).step); // app_metadata: which step the batch is
    const padded = Math.ceil(header.length / 8) * 8;
    const prefix = Buffer.alloc(8);
    prefix.writeInt32LE(-1, 0);
    prefix.writeInt32LE(padded, 4);
    yield Buffer.concat([prefix, header, Buffer.alloc(padded - header.length), data[1000] ?? Buffer.alloc(0)]);
  }
}

let told;
for await (const result of client.doAction([[1, Buffer.from("describe")]], metadata, soon())) told = JSON.parse(result[1]);
console.log(`${told.dataset}: ${told.samples} samples, ${told.steps_per_epoch} steps an epoch of ${told.batch}`);

const ticket = { millrace: 1, stream: told.stream, from: 0, to: Number(wanted) };
const call = client.doGet([[1, Buffer.from(JSON.stringify(ticket))]], metadata, soon());
const seen = createHash("sha256");
const pixels = told.shape.reduce((product, side) => product * side, 1);
let rows = 0;
for await (const batch of await RecordBatchReader.from(ipc(call))) {
  const images = batch.getChild("image").data[0]; // a list of fixed size: the pixels lie in its child
  seen.update(images.children[0].values.subarray(0, batch.numRows * pixels));
  seen.update(batch.getChild("label").toArray());
  rows += batch.numRows;
}
console.log(`${rows} rows of the steps ${steps[0]} to ${steps.at(-1)}`);
console.log(`sha256 of pixels and labels ${seen.digest("hex")}`);
client.close();
