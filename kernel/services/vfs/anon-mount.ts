/** The mount that paths of anonymous files (pipes, sockets) name: outside the tree, for /proc/PID/fd and fchmod. */
import { Dentry, Mount, mountOf } from "./types";
import { dentryAlloc } from "./dcache";
import { mountNew } from "./mount";
import { anonSuper } from "./file";
import { inodeAlloc } from "./inode";
import { superGet } from "./super-block";

const ANON: usize = memory.data(16, 8); // [0] the Mount, [8] an empty source name

export function anonMountInit(): void {
  const sb = anonSuper();
  const inode = inodeAlloc(sb);
  assert(inode);
  const root = dentryAlloc(0, changetype<usize>(sb), 0, ANON + 8, 0);
  assert(root);
  rootSet(root!, changetype<usize>(inode));
  const mount = mountNew(superGet(sb), root!, 0, ANON + 8);
  assert(mount);
  store<usize>(ANON, changetype<usize>(mount));
}

function rootSet(root: Dentry, inode: usize): void {
  root.inode = inode;
}

export function anonMount(): Mount {
  return mountOf(load<usize>(ANON));
}
