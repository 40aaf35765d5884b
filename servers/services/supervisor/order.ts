/**
 * In what order servers start. Pure.
 *
 *   requires  the other one must exist, and be ready each time this one starts
 *   after     the other one, if it exists, has its first chance before
 *
 * Invariants  O1  in the order, a server stands behind everything it requires or comes after.
 *             O2  who is in a circle, or requires somebody unknown or refused, is refused with the reason and not in the order.
 */
import { Manifest } from "./manifest";

/** The manifests that may start, in order; the others get their `problem`. */
export function startOrder(manifests: Manifest[]): Manifest[] {
  requirementsCheck(manifests);
  let order = ordered(manifests);
  while (circleRefuse(manifests, order)) {
    requirementsCheck(manifests);
    order = ordered(manifests);
  }
  return order;
}

/** Whoever stands behind nobody, then whoever stands behind those, as far as it goes (O1). */
function ordered(manifests: Manifest[]): Manifest[] {
  const order: Manifest[] = [];
  for (let grew = true; grew;) {
    grew = false;
    for (let i = 0; i < manifests.length; i++) {
      const it = manifests[i];
      if (it.problem != "" || order.includes(it) || !isFree(it, manifests, order)) continue;
      order.push(it);
      grew = true;
    }
  }
  return order;
}

export function manifestNamed(manifests: Manifest[], name: string): Manifest | null {
  for (let i = 0; i < manifests.length; i++) if (manifests[i].name == name && manifests[i].problem == "") return manifests[i];
  return null;
}

/** Refuses who requires somebody that cannot be, and whoever requires those in turn. */
function requirementsCheck(manifests: Manifest[]): void {
  for (let changed = true; changed;) {
    changed = false;
    for (let i = 0; i < manifests.length; i++) {
      const missing = manifests[i].problem == "" ? requirementMissing(manifests[i], manifests) : "";
      if (missing == "") continue;
      manifests[i].problem = "it requires " + missing + ", which there is not";
      changed = true;
    }
  }
}

function requirementMissing(it: Manifest, manifests: Manifest[]): string {
  for (let i = 0; i < it.requires.length; i++) if (!manifestNamed(manifests, it.requires[i])) return it.requires[i];
  return "";
}

function isFree(it: Manifest, manifests: Manifest[], order: Manifest[]): bool {
  return areOrdered(it.requires, manifests, order) && areOrdered(it.after, manifests, order);
}

function areOrdered(names: string[], manifests: Manifest[], order: Manifest[]): bool {
  for (let i = 0; i < names.length; i++) {
    const other = manifestNamed(manifests, names[i]);
    if (other && !order.includes(other)) return false;
  }
  return true;
}

/** Refuses who is left over because it waits for itself: not who only waits for those. True when there was one. */
function circleRefuse(manifests: Manifest[], order: Manifest[]): bool {
  let left = manifests.filter((it) => it.problem == "");
  for (let i = 0; i < order.length; i++) left.splice(left.indexOf(order[i]), 1);
  for (let size = left.length + 1; size != left.length;) {
    size = left.length;
    for (let i = left.length - 1; i >= 0; i--) if (!isAwaited(left[i].name, left)) left.splice(i, 1);
  }
  for (let i = 0; i < left.length; i++) left[i].problem = "it waits in a circle for itself";
  return left.length > 0;
}

function isAwaited(name: string, by: Manifest[]): bool {
  for (let i = 0; i < by.length; i++) if (by[i].requires.includes(name) || by[i].after.includes(name)) return true;
  return false;
}
