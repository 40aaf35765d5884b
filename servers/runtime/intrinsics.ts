/** What a server has beyond WebAssembly: arch/x86_64/user/server.c. In tests Node supplies them. */

/** A call of the kernel: Linux's number or a native one; addresses are made by linearVa. A negated errno on failure. */
@external("x86_64", "server_call")
export declare function serverCall(nr: u32, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64): i64;
/** ipc_call or ipc_reply_wait with the five words at `words`: badge, w0, w1, w2, w3. */
@external("x86_64", "server_ipc")
export declare function serverIpc(nr: u32, endpoint: u32, label: i32, words: usize): i64;
/** The address by which the kernel knows a linear address of this server. */
@external("x86_64", "linear_va") export declare function linearVa(ptr: usize): u64;
/** One access to a register or shared memory: never merged, split or moved. */
@external("x86_64", "mmio_load8") export declare function mmioLoad8(ptr: usize): u32;
@external("x86_64", "mmio_load16") export declare function mmioLoad16(ptr: usize): u32;
@external("x86_64", "mmio_load32") export declare function mmioLoad32(ptr: usize): u32;
@external("x86_64", "mmio_store8") export declare function mmioStore8(ptr: usize, value: u32): void;
@external("x86_64", "mmio_store16") export declare function mmioStore16(ptr: usize, value: u32): void;
@external("x86_64", "mmio_store32") export declare function mmioStore32(ptr: usize, value: u32): void;
