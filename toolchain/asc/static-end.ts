/** Linear address after the last byte of static data, a constant once compiled; the linker sizes .linearbss by it. */
export function linearStaticEnd(): usize {
  return __heap_base;
}
