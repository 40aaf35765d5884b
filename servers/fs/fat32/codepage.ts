/** Code page 437, in which short names stand: bytes from 0x80 on as UTF-16, and which of them are capitals. */

const UPPER_HALF =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";
const CAPITALS = "ÇÄÅÉÆÖÜÑΣΦ";
const SMALLS = "çäåéæöüñσφ";

/** The character of a byte of a short name, in small letters if asked. */
export function codepageUnit(byte: u32, isSmall: bool): u16 {
  if (byte < 0x80) return <u16>(isSmall && byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte);
  const unit = UPPER_HALF.charCodeAt(byte - 0x80);
  const capital = isSmall ? CAPITALS.indexOf(String.fromCharCode(unit)) : -1;
  return <u16>(capital < 0 ? unit : SMALLS.charCodeAt(capital));
}
