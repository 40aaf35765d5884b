/**
 * Numbers of the methods.
 *
 * Generated from kernel/abi/protocol/template.ts by toolchain/protocol; do not edit.
 */
export const enum TemplateMethod { ADD = 1, COUNT = 2 }
