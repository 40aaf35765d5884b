/** Jest projects, fastest first. `make unit` runs the first; `make test` runs them all. */
const transform = {
  "^.+\\.ts$": ["@swc/jest", { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "commonjs" } }],
};

/** One project of tests under tests/<folder>. */
const project = (displayName, folder = displayName) => ({
  displayName,
  testMatch: [`<rootDir>/tests/${folder}/**/*.test.ts`],
  testEnvironment: "node",
  modulePathIgnorePatterns: ["<rootDir>/build", "<rootDir>/dist"],
  transform,
});

/** Unit tests call the kernel as WebAssembly: it is compiled before the first of them. */
const unit = { ...project("unit"), globalSetup: "<rootDir>/tests/unit/support/build-kernel.ts" };

export default {
  projects: [unit, ...["toolchain", "boot", "drivers", "conformance", "faults"].map((name) => project(name))],
  passWithNoTests: true,
};
