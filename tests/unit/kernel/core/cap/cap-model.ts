/**
 * What capability spaces must do, in plain TypeScript: the reference of space.test.ts.
 *
 * An operation is a generator of steps. It stops before each section that the kernel runs under capLock; what follows a stop is the
 * effect of that section, then what the kernel does without the lock up to the next one. So the model can be held wherever another CPU may
 * come between.
 */
export const RIGHT = { RECEIVE: 8, WAIT: 32, GRANT: 128, ALL: 0x1ff } as const;
export const HOW = { COPY: 0, MOVE: 1, MINT: 2 } as const;
export const KIND = { ENDPOINT: 2, MEMORY: 4, PCI: 8, THREAD: 12 } as const;
export const ERRNO = { BADF: -9, NOMEM: -12, ACCES: -13, BUSY: -16, STALE: -116 } as const;
const CHUNK_SLOTS = 64;
const CHUNKS = 64;
const GENERATIONS = 0x7fff;

export interface ModelObject {
  readonly address: number;
  readonly kind: number;
  slots: number;
  receivers: number;
  /** References that calls under way hold. */
  held: number;
  isDestroyed: boolean;
}

export interface ModelSlot {
  /** TRANSIT for one on its way. */
  readonly space: ModelSpace;
  /** In its space; of a slot in transit: its address. */
  readonly index: number;
  generation: number;
  /** The generation that was revoked last. */
  revoked: number;
  object: ModelObject | null;
  rights: number;
  badge: bigint;
  parent: ModelSlot | null;
  /** Latest first, as the kernel's ring. */
  children: ModelSlot[];
  /** In transit: the slot it moves away from. */
  home: ModelSlot | null;
  /** What was here is on its way, and may come back. */
  isAway: boolean;
}

export interface ModelSpace {
  readonly address: number;
  readonly slots: ModelSlot[];
  /** First one is given out next. */
  readonly free: ModelSlot[];
  isClosed: boolean;
}

/** The space of slots in transit: none. */
export const TRANSIT: ModelSpace = { address: 0, slots: [], free: [], isClosed: false };

export function transitSlot(address: number): ModelSlot {
  return { space: TRANSIT, index: address, generation: 0, revoked: 0, object: null, rights: 0, badge: 0n, parent: null, children: [], home: null, isAway: false };
}

/** A hook that must be called before the operation that caused it ends. */
export interface Event {
  readonly hook: "deaf" | "orphan" | "unheard";
  readonly object: ModelObject;
}

/** One operation under way; yields before each section under capLock, returns the result the kernel must give. */
export type Steps = Generator<void, number, void>;

export function handleOf(slot: ModelSlot): number { return slot.index | (slot.generation << 16); }

/** Threads may wait on the object by it. */
function hears({ rights }: ModelSlot): boolean { return (rights & (RIGHT.RECEIVE | RIGHT.WAIT)) !== 0; }

export class CapModel {
  readonly spaces: ModelSpace[] = [];
  readonly objects: ModelObject[] = [];

  find(space: ModelSpace, handle: number): ModelSlot | null {
    const slot = space.slots[handle & 0xffff];
    return slot?.object && slot.generation === handle >>> 16 ? slot : null;
  }

  /** Why nothing is found. */
  missing(space: ModelSpace, handle: number): number {
    return handle >>> 16 !== 0 && space.slots[handle & 0xffff]?.revoked === handle >>> 16 ? ERRNO.STALE : ERRNO.BADF;
  }

  used(): number {
    return this.spaces.reduce((sum, space) => sum + space.slots.filter((slot) => slot.object ?? slot.isAway).length, 0);
  }

  *insert(space: ModelSpace, object: ModelObject, rights: number, badge: bigint): Steps {
    while (space.free.length > 0 || (yield* this.grow(space))) {
      yield;
      if (space.isClosed) return ERRNO.STALE;
      const slot = space.free.shift();
      if (slot) return this.fill(slot, object, rights, badge);
    }
    return ERRNO.NOMEM;
  }

  /** An object made by authority of another capability hangs below it. */
  *insertUnder(space: ModelSpace, handle: number, object: ModelObject, rights: number): Steps {
    while (space.free.length > 0 || (yield* this.grow(space))) {
      yield;
      const parent = this.find(space, handle);
      if (!parent) return this.missing(space, handle);
      if (space.isClosed) return ERRNO.STALE;
      const slot = space.free.shift();
      if (!slot) continue;
      const result = this.fill(slot, object, parent.rights & rights, 0n);
      slot.parent = parent;
      parent.children.unshift(slot);
      return result;
    }
    return ERRNO.NOMEM;
  }

  *derive(from: ModelSpace, handle: number, to: ModelSpace, rights: number, badge: bigint): Steps {
    while (to.free.length > 0 || (yield* this.grow(to))) {
      yield;
      const source = this.find(from, handle);
      if (!source) return this.missing(from, handle);
      if (badge !== 0n && source.badge !== 0n) return ERRNO.ACCES;
      if (to.isClosed) return ERRNO.STALE;
      const slot = to.free.shift();
      if (!slot) continue;
      const result = this.fill(slot, source.object!, source.rights & rights, badge || source.badge);
      slot.parent = source;
      source.children.unshift(slot);
      return result;
    }
    return ERRNO.NOMEM;
  }

  /** A capability begins its way in a message; `rights` and `badge` count for MINT. */
  *depart(from: ModelSpace, handle: number, transit: ModelSlot, how: number, rights: number, badge: bigint, events: Event[]): Steps {
    yield;
    const source = this.find(from, handle);
    if (!source) return this.missing(from, handle);
    if (!(source.rights & RIGHT.GRANT)) return ERRNO.ACCES;
    if (how === HOW.MOVE) {
      if (source.object!.kind === KIND.MEMORY && source.object!.held > 0) return ERRNO.BUSY;
      if (hears(source)) events.push({ hook: "unheard", object: source.object! });
      this.move(transit, source);
      transit.home = source;
      source.isAway = true;
      return 0;
    }
    const own = how === HOW.MINT ? badge : 0n;
    if (own !== 0n && source.badge !== 0n) return ERRNO.ACCES;
    this.fill(transit, source.object!, how === HOW.MINT ? source.rights & rights : source.rights, own || source.badge);
    transit.parent = source;
    source.children.unshift(transit);
    return 0;
  }

  /** All of a message's capabilities arrive, or none. */
  *arrive(transits: readonly ModelSlot[], to: ModelSpace, handles: number[]): Steps {
    for (;;) {
      yield;
      if (to.isClosed || transits.some((transit) => !transit.object)) return ERRNO.STALE;
      if (to.free.length >= transits.length) break;
      if (!(yield* this.grow(to))) return ERRNO.NOMEM;
    }
    for (const transit of transits) {
      const slot = to.free.shift()!;
      this.move(slot, transit);
      handles.push(handleOf(slot));
      if (transit.home) this.free(transit.home);
      transit.home = null;
    }
    return 0;
  }

  /** It did not arrive. */
  *comeBack(transit: ModelSlot, events: Event[]): Steps {
    if (transit.home) {
      yield;
      if (transit.object && !transit.home.space.isClosed) {
        this.move(transit.home, transit);
        transit.home.isAway = false;
      } else this.free(transit.home);
    }
    yield;
    if (transit.object) this.empty(transit, events);
    transit.home = null;
    return 0;
  }

  *drop(space: ModelSpace, handle: number, events: Event[]): Steps {
    yield;
    const slot = this.find(space, handle);
    if (!slot) return this.missing(space, handle);
    this.empty(slot, events);
    return 0;
  }

  *revoke(space: ModelSpace, handle: number, events: Event[]): Steps {
    for (let count = 0; ; count++) {
      yield;
      const root = this.find(space, handle);
      if (!root) return count || this.missing(space, handle);
      let leaf = root;
      while (leaf.children.length > 0) leaf = leaf.children[0]!;
      if (leaf === root) return count;
      const named = leaf.home ?? leaf;
      named.revoked = named.generation;
      this.empty(leaf, events);
    }
  }

  *lookup(space: ModelSpace, handle: number, kind: number, rights: number): Steps {
    yield;
    const slot = this.find(space, handle);
    if (!slot) return this.missing(space, handle);
    if (slot.object!.kind !== kind) return ERRNO.BADF;
    if ((slot.rights & rights) !== rights) return ERRNO.ACCES;
    slot.object!.held++;
    return slot.object!.address;
  }

  *close(space: ModelSpace, events: Event[]): Steps {
    yield;
    space.isClosed = true;
    return yield* this.clear(space, events);
  }

  /** Devices first, then everything. */
  *clear(space: ModelSpace, events: Event[]): Steps {
    const slots = space.slots.slice();
    for (const slot of slots) {
      yield;
      if (slot.object?.kind !== KIND.PCI) continue;
      yield;
      if (slot.object) this.empty(slot, events);
    }
    for (const slot of slots) {
      yield;
      if (slot.object) this.empty(slot, events);
    }
    return 0;
  }

  private *grow(space: ModelSpace): Generator<void, boolean, void> {
    yield;
    const first = space.slots.length;
    if (first === CHUNKS * CHUNK_SLOTS) return false;
    const chunk = Array.from({ length: CHUNK_SLOTS }, (_, i): ModelSlot =>
      ({ space, index: first + i, generation: 1, revoked: 0, object: null, rights: 0, badge: 0n, parent: null, children: [], home: null, isAway: false }));
    space.slots.push(...chunk);
    space.free.push(...chunk);
    return true;
  }

  /** A capability changes its slot, not its place in the tree. */
  private move(to: ModelSlot, from: ModelSlot): void {
    const { object, rights, badge, parent, children } = from;
    Object.assign(to, { object, rights, badge, parent, children });
    if (parent) parent.children[parent.children.indexOf(from)] = to;
    for (const child of children) child.parent = to;
    Object.assign(from, { object: null, parent: null, children: [] });
  }

  /** An empty slot goes back to its space. */
  private free(slot: ModelSlot): void {
    slot.isAway = false;
    slot.generation = slot.generation === GENERATIONS ? 1 : slot.generation + 1;
    slot.space.free.push(slot);
  }

  private fill(slot: ModelSlot, object: ModelObject, rights: number, badge: bigint): number {
    Object.assign(slot, { object, rights, badge, parent: null, children: [] });
    object.slots++;
    if (rights & RIGHT.RECEIVE) object.receivers++;
    return handleOf(slot);
  }

  private empty(slot: ModelSlot, events: Event[]): void {
    const object = slot.object!;
    if (slot.rights & RIGHT.RECEIVE && --object.receivers === 0) events.push({ hook: "deaf", object });
    if (--object.slots === 0) events.push({ hook: "orphan", object });
    if (hears(slot)) events.push({ hook: "unheard", object });
    for (const child of slot.children) {
      child.parent = slot.parent;
      slot.parent?.children.unshift(child);
    }
    if (slot.parent) slot.parent.children.splice(slot.parent.children.indexOf(slot), 1);
    Object.assign(slot, { object: null, parent: null, children: [] });
    if (slot.space !== TRANSIT) this.free(slot);
  }
}
