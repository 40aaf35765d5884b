/**
 * The kernel's capability spaces beside their reference model, on several CPUs.
 *
 * The spinlock hooks of debug builds tell when capLock is taken and given up. Before a section counts as begun, other CPUs may come
 * first: the hook gives the lock back, runs whole operations of theirs, and takes it again. At its end the model takes the same step.
 */
import { structLayout } from "../../../support/struct-layout.ts";
import { hookOf } from "../../../support/kernel.ts";
import { loadMemory, type Memory } from "../mm/memory.ts";
import { CapModel, type Event, handleOf, KIND, type ModelObject, type ModelSlot, type ModelSpace, type Steps, TRANSIT, transitSlot } from "./cap-model.ts";

const SLOT = structLayout("kernel/core/cap/slot.ts", "CapSlot");
const SPACE = structLayout("kernel/core/cap/space.ts", "CapSpace");
const OBJECT = structLayout("kernel/core/cap/object.ts", "KObject");
const LOCK = structLayout("kernel/lib/spinlock.ts", "SpinLock");
const RANK_CAP = 30;
const HOOKS = 0xe00000; // words of linear memory above the static data
const OBJECT_BYTES = 64; // as MEMORY objects have: what follows the head is zero
const SLOT_BYTES = 48;
const CHUNK_SLOTS = 64;

interface Operation {
  readonly steps: Steps;
  readonly events: Event[];
  result: IteratorResult<void, number>;
}

export class CapMachine {
  readonly model: CapModel = new CapModel();
  /** Operations of other CPUs that may come before a section; called with how many are nested already. */
  interrupt: ((depth: number) => void) | null = null;
  private readonly transits: ModelSlot[] = [];
  private readonly running: Operation[] = [];
  private cpu = 0;

  private constructor(readonly memory: Memory, readonly cpus: number) {}

  static async start(cpus: number): Promise<CapMachine> {
    const machine = new CapMachine(await loadMemory(), cpus);
    const { k, kernel } = machine.memory;
    k["capInit"]!();
    const hook = (index: number, parameters: number, call: (...args: number[]) => void): number =>
      hookOf(kernel, HOOKS + index * 4, parameters, call);
    const orphan = hook(0, 1, (object) => machine.hookCalled("orphan", object));
    const deaf = hook(1, 1, (object) => machine.hookCalled("deaf", object));
    const unheard = hook(6, 1, (object) => { if (machine.running.length > 0) machine.hookCalled("unheard", object); });
    const destroy = hook(2, 1, (object) => machine.destroyed(object));
    for (const kind of Object.values(KIND)) {
      k["objectKindSet"]!(kind, orphan, deaf, destroy);
      k["objectUnheardSet"]!(kind, unheard);
    }
    const idle = hook(3, 0, () => {});
    const acquired = hook(4, 1, (lock) => machine.sectionBegins(lock));
    const released = hook(5, 1, (lock) => machine.sectionEnds(lock));
    k["spinHooksSet"]!(idle, acquired, released, 1);
    return machine;
  }

  u32(at: number): number { return this.memory.view.getUint32(at, true); }

  newSpace(): ModelSpace {
    const space = { address: this.memory.k["capSpaceCreate"]!() as number, slots: [], free: [], isClosed: false };
    this.model.spaces.push(space);
    return space;
  }

  /** An object with one reference, held by a call under way. */
  newObject(kind: number): ModelObject {
    const address = this.memory.k["kzalloc"]!(OBJECT_BYTES) as number;
    this.memory.k["objectInit"]!(address, kind);
    const object = { address, kind, slots: 0, receivers: 0, held: 1, isDestroyed: false };
    this.model.objects.push(object);
    return object;
  }

  /** Room for `count` capabilities of a message, side by side. */
  newTransits(count: number): ModelSlot[] {
    const first = this.memory.k["kzalloc"]!(count * SLOT_BYTES) as number;
    const slots = Array.from({ length: count }, (_, i) => transitSlot(first + i * SLOT_BYTES));
    this.transits.push(...slots);
    return slots;
  }

  /** What a minted capability shall keep and bear; a slot that a message was packed into before may hold anything. */
  wish(slot: ModelSlot, rights: number, badge: bigint): void {
    this.memory.view.setUint32(slot.index + SLOT["rights"]!, rights, true);
    this.memory.view.setBigUint64(slot.index + SLOT["badge"]!, badge, true);
  }

  /** The message is gone. */
  freeTransits(slots: readonly ModelSlot[]): void {
    for (const slot of slots) this.transits.splice(this.transits.indexOf(slot), 1);
    this.memory.k["kfree"]!(slots[0]!.index);
  }

  hold(object: ModelObject): void {
    object.held++;
    this.memory.k["objectGet"]!(object.address);
  }

  /** A call that held the object ends. */
  letGo(object: ModelObject): void {
    object.held--;
    this.memory.k["objectPut"]!(object.address);
  }

  /** Runs an operation in kernel and model; both must agree on the result. */
  run(what: string, model: (events: Event[]) => Steps, kernel: () => number): number {
    const events: Event[] = [];
    const steps = model(events);
    const operation = { steps, events, result: steps.next() };
    const cpu = this.cpu;
    this.running.push(operation);
    this.memory.machine.thisCpu = this.memory.k["cpuAt"]!(cpu) as number;
    const got = kernel();
    this.running.pop();
    if (!operation.result.done) throw new Error(`${what}: the kernel took fewer steps than the model`);
    if (events.length > 0) throw new Error(`${what}: ${events[0]!.hook} of ${events[0]!.object.address} was not called`);
    if (got !== operation.result.value) throw new Error(`${what}: the kernel gives ${got}, the model ${operation.result.value}`);
    return got;
  }

  private sectionBegins(lock: number): void {
    if (this.u32(lock + LOCK["rank"]!) !== RANK_CAP || !this.interrupt || this.running.length === 0) return;
    const { cpu } = this;
    this.memory.view.setUint32(lock, 0, true); // as if this CPU came second
    this.cpu = (cpu + 1) % this.cpus;
    this.interrupt(this.running.length);
    this.cpu = cpu;
    this.memory.view.setUint32(lock, 1, true);
  }

  private sectionEnds(lock: number): void {
    if (this.u32(lock + LOCK["rank"]!) !== RANK_CAP) return;
    const operation = this.running.at(-1);
    if (!operation) return;
    if (operation.result.done) throw new Error("the kernel takes more steps than the model");
    operation.result = operation.steps.next();
  }

  private objectOf(address: number): ModelObject {
    return this.model.objects.find((object) => object.address === address && !object.isDestroyed)!;
  }

  private hookCalled(hook: Event["hook"], address: number): void {
    const expected = this.running.at(-1)?.events.shift();
    if (expected?.hook !== hook || expected.object.address !== address) {
      throw new Error(`${hook} of ${address} was called instead of ${expected?.hook} of ${expected?.object.address}`);
    }
  }

  private destroyed(address: number): void {
    const object = this.objectOf(address);
    if (!object || object.slots + object.held > 0) throw new Error(`object ${address} was destroyed in use`);
    object.isDestroyed = true;
    this.memory.k["kfree"]!(address);
  }

  /** The first difference between kernel and model at rest, or "". */
  problem(): string {
    for (const object of this.model.objects) {
      if (object.isDestroyed) continue;
      const refs = object.slots + object.held;
      if (refs === 0) return `object ${object.address} should be destroyed (O1)`;
      if (this.u32(object.address + OBJECT["refs"]!) !== refs) return `object ${object.address}: refs (O1)`;
      if (this.u32(object.address + OBJECT["slots"]!) !== object.slots) return `object ${object.address}: slots (O2)`;
      if (this.u32(object.address + OBJECT["receivers"]!) !== object.receivers) return `object ${object.address}: receivers (O2)`;
    }
    if (this.memory.k["capCountAll"]!() !== this.model.used()) return "the count of all capabilities";
    const problems = [...this.model.spaces.map((space) => this.spaceProblem(space)), ...this.transits.map((slot) => this.slotProblem(slot))];
    return problems.find((problem) => problem) ?? "";
  }

  private spaceProblem(space: ModelSpace): string {
    const used = space.slots.filter((slot) => slot.object ?? slot.isAway).length;
    if (this.u32(space.address + SPACE["used"]!) !== used) return "used";
    if (this.u32(space.address + SPACE["chunks"]!) !== space.slots.length / CHUNK_SLOTS) return "chunks";
    return space.slots.map((slot) => this.slotProblem(slot)).find((problem) => problem) ?? "";
  }

  private slotProblem(slot: ModelSlot): string {
    const at = this.slotAddress(slot);
    const field = (name: string): number => this.u32(at + SLOT[name]!);
    const name = `slot ${handleOf(slot).toString(16)} of space ${slot.space.address}`;
    if (field("object") !== (slot.object?.address ?? 0)) return `${name}: object`;
    const half = (which: string): number => this.memory.view.getUint16(at + SLOT[which]!, true);
    if (slot.space !== TRANSIT && half("generation") !== slot.generation) return `${name}: generation (T3)`;
    if (slot.space !== TRANSIT && half("revoked") !== slot.revoked) return `${name}: the generation revoked last`;
    if (slot.space === TRANSIT && field("home") !== (slot.home ? this.slotAddress(slot.home) : 0)) return `${name}: home (X2)`;
    if (!slot.object) return "";
    if (field("rights") !== slot.rights || this.memory.view.getBigUint64(at + SLOT["badge"]!, true) !== slot.badge) return `${name}: rights or badge (T2)`;
    if (field("parent") !== (slot.parent ? this.slotAddress(slot.parent) : 0)) return `${name}: parent (T1)`;
    const children: number[] = [];
    for (let child = field("child"); child !== 0; child = this.u32(child + SLOT["next"]!)) children.push(child);
    return children.join() === slot.children.map((child) => this.slotAddress(child)).join() ? "" : `${name}: children (T1)`;
  }

  slotAddress(slot: ModelSlot): number {
    if (slot.space === TRANSIT) return slot.index;
    const table = this.u32(slot.space.address + SPACE["table"]!);
    return this.u32(table + (slot.index >> 6) * 4) + (slot.index & (CHUNK_SLOTS - 1)) * SLOT["sizeof"]!;
  }
}
