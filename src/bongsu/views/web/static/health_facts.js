// The history and Bongsu's own cost as pairs of a name and a value in words; a third item marks what is wrong.
import { span, when, write } from "./units.js";
import { words } from "./table_words.js";

const bytes = (value) => write(value, "bytes");
const share = (value) => write(value, "ratio");
const NEAR = 0.95; // of its limit: from here on the oldest readings are let go soon

// What is not compressed yet, of the last minutes, is of no tier: it is every reading.
function reach(tier, newest) {
  const last = tier.name === "raw" ? newest ?? tier.newest : tier.newest;
  if (tier.oldest !== null) return words.storeTier(when(tier.oldest), when(last), span(tier.keeps));
  return last === null ? words.storeTierNone(span(tier.keeps)) : words.storeTierYoung(when(last), span(tier.keeps));
}

export function storeFacts(store) {
  const size = store.file_bytes + store.log_bytes;
  const every = span(store.commit_every);
  const late = store.pending_batches > 0 && store.commit_age !== null && store.commit_age > Math.max(60, 3 * store.commit_every);
  const { store: names } = words;
  return [
    [names.path, store.path],
    [names.size, words.storeSize(bytes(store.file_bytes), bytes(store.log_bytes))],
    [names.limit, store.most_bytes === null ? words.storeNoLimit : words.storeShare(share(size / store.most_bytes), bytes(store.most_bytes)),
      store.most_bytes !== null && size > NEAR * store.most_bytes],
    ...store.tiers.map((tier) => [names.tiers[tier.name] ?? tier.name, reach(tier, store.newest)]),
    [names.series, store.series.toLocaleString()],
    [names.samples, store.samples.toLocaleString()],
    [names.pending, store.pending_batches ? words.storePending(store.pending_batches, bytes(store.pending_bytes)) : words.storePendingNone],
    [names.commit, store.commit_age === null ? words.storeNever(every) : words.storeCommit(words.ago(span(Math.round(store.commit_age))), every), late],
    ...(store.upkeep_seconds === null ? [] : [[names.upkeep, span(store.upkeep_seconds)]]),
    ...(store.dropped_batches ? [[names.dropped, words.storeDropped(store.dropped_batches), true]] : []),
    ...(store.doubled_samples ? [[names.dropped, words.storeDoubled(store.doubled_samples)]] : []),
  ];
}

export function costFacts({ cost, clients, dropped }) {
  const { cost: names } = words;
  const known = (value, writer) => (value === null ? words.costUnknown : writer(value));
  return [
    [names.cpu, cost.cpu === null && cost.cpu_mean === null ? words.costUnknown : words.costCpu(share(cost.cpu), share(cost.cpu_mean))],
    [names.resident, known(cost.resident, bytes)],
    [names.start, known(cost.start, when)],
    [names.files, known(cost.files, String)],
    [names.interval, known(cost.interval, span)],
    [names.missed, cost.missed === null ? words.costUnknown : words.costMissed(cost.missed, cost.ticks), cost.missed > 0.01 * cost.ticks],
    [names.clients, String(clients)],
    ...(dropped ? [[names.dropped, String(dropped)]] : []),
  ];
}
