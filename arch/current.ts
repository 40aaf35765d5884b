/** The port the kernel is built for: portable code imports the machine from here and from nowhere else. */
export * from "./x86_64/intrinsics";
export * from "./x86_64/trap-frame";
