/**
 * A channel between two servers: the host has work done, the guest does it (servers/runtime/channel.ts). Work and answers lie in two rings of
 * memory that the host grants; calls are made to meet only. The guest is the caller, so that a host survives its guests and the other way round.
 *
 * Each piece of work is answered once. It is done once, too, unless a guest dies that had taken it: then it comes again to the next.
 */
import type { Protocol } from "./form.ts";

export const CHANNEL: Protocol = {
  name: "channel",
  prefix: "Channel",
  travel: "message",
  methods: [
    { id: 1, name: "attach", request: "workBytes: u32, answerBytes: u32, bits: u64, name: name, bell: bell",
      reply: "generation: u32, bytes: u32, answersAt: u32, bits: u64, memory: memory, bell: bell", errors: "INVAL NOMEM",
      contract: "The caller is the guest from now on; who was it before is none any more, and its memory is looked at no longer. The memory has a ring of work at 0 and one of answers at answersAt (servers/runtime/ring.ts), of entries of those sizes: EINVAL when the host's are others. Either side signals the other's bits on its bell. What was not answered stands in the new ring again, oldest first." },
    { id: 2, name: "check", request: "generation: u32", reply: "", errors: "STALE",
      contract: "0: who attached as that generation is the guest still. ESTALE: there is a later one. The call itself fails when the host is gone." },
  ],
};
