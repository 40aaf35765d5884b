/** Text as key presses on a US keyboard, in QEMU's names for keys (QKeyCode). */

const PUNCTUATION: Readonly<Record<string, readonly string[]>> = {
  "\n": ["ret"],
  "\t": ["tab"],
  "\x1b": ["esc"],
  " ": ["spc"],
  "-": ["minus"],
  "=": ["equal"],
  "/": ["slash"],
  ".": ["dot"],
  ",": ["comma"],
  ";": ["semicolon"],
  "'": ["apostrophe"],
  "`": ["grave_accent"],
  "\\": ["backslash"],
  "[": ["bracket_left"],
  "]": ["bracket_right"],
  _: ["shift", "minus"],
  "+": ["shift", "equal"],
  "?": ["shift", "slash"],
  ">": ["shift", "dot"],
  "<": ["shift", "comma"],
  ":": ["shift", "semicolon"],
  '"': ["shift", "apostrophe"],
  "~": ["shift", "grave_accent"],
  "|": ["shift", "backslash"],
  "{": ["shift", "bracket_left"],
  "}": ["shift", "bracket_right"],
};

const SHIFTED_DIGITS = ")!@#$%^&*(";

/** One group of keys pressed together for each character. */
export function keysOf(text: string): string[][] {
  return [...text].map(keyOf);
}

function keyOf(character: string): string[] {
  if (/[a-z0-9]/.test(character)) return [character];
  if (/[A-Z]/.test(character)) return ["shift", character.toLowerCase()];
  const digit = SHIFTED_DIGITS.indexOf(character);
  if (digit >= 0) return ["shift", String(digit)];
  const keys = PUNCTUATION[character];
  if (!keys) throw new Error(`keyboard: no key for ${JSON.stringify(character)}`);
  return [...keys];
}
