/** Lint for what runs on Node; the kernel's AssemblyScript is checked by asc and by the gates of the build. */
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["build/**", "dist/**", "node_modules/**", "kernel/**", "arch/**", "servers/**", "toolchain/asc/**", "**/*.as.ts", "tests/{drivers,faults}/servers/**"] },
  ...tseslint.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      "no-console": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
    },
  },
);
