/** Terminal settings as Linux x86-64 lays them out: asm-generic/termbits.h, ioctls.h, termios.h. */

/** struct termios2; struct termios is its first 36 bytes. */
@final @unmanaged
export class Termios {
  iflag: u32;
  oflag: u32;
  cflag: u32;
  lflag: u32;
  line: u8;      // line discipline number; only N_TTY (0)
  cc0: u8;       // c_cc[0]; the other 18 follow (termiosCc)
  cc1: u16;
  cc4: u32;
  cc8: u64;
  cc16: u32;
  ispeed: u32;   // +36
  ospeed: u32;   // +40
  reserved: u32;
}
if (offsetof<Termios>() != 48) ERROR("Tty embeds a Termios of 48 bytes");

export const TERMIOS_SIZE: u32 = 36;
export const TERMIOS2_SIZE: u32 = 44;
export const TERMIOS_CC: usize = 17;
export const TERMIOS_ISPEED: usize = 36;
export const NCCS: u32 = 19;

/** Index into c_cc. */
export const enum Cc {
  INTR = 0, QUIT = 1, ERASE = 2, KILL = 3, EOF = 4, TIME = 5, MIN = 6, SWTC = 7, START = 8, STOP = 9, SUSP = 10,
  EOL = 11, REPRINT = 12, DISCARD = 13, WERASE = 14, LNEXT = 15, EOL2 = 16,
}

export const enum InputFlag {
  IGNBRK = 0x1, BRKINT = 0x2, IGNPAR = 0x4, PARMRK = 0x8, INPCK = 0x10, ISTRIP = 0x20, INLCR = 0x40, IGNCR = 0x80,
  ICRNL = 0x100, IUCLC = 0x200, IXON = 0x400, IXANY = 0x800, IXOFF = 0x1000, IMAXBEL = 0x2000, IUTF8 = 0x4000,
}

export const enum OutputFlag {
  OPOST = 0x1, OLCUC = 0x2, ONLCR = 0x4, OCRNL = 0x8, ONOCR = 0x10, ONLRET = 0x20, TABDLY = 0x1800, XTABS = 0x1800,
}

export const enum ControlFlag {
  CBAUD = 0x100f, B9600 = 0xd, B38400 = 0xf, B115200 = 0x1002, CS8 = 0x30, CREAD = 0x80, HUPCL = 0x400, CLOCAL = 0x800,
}

export const enum LocalFlag {
  ISIG = 0x1, ICANON = 0x2, XCASE = 0x4, ECHO = 0x8, ECHOE = 0x10, ECHOK = 0x20, ECHONL = 0x40, NOFLSH = 0x80,
  TOSTOP = 0x100, ECHOCTL = 0x200, ECHOPRT = 0x400, ECHOKE = 0x800, FLUSHO = 0x1000, PENDIN = 0x4000, IEXTEN = 0x8000,
}

export const enum TtyIoctl {
  TCGETS = 0x5401, TCSETS = 0x5402, TCSETSW = 0x5403, TCSETSF = 0x5404, TCGETA = 0x5405, TCSETA = 0x5406, TCSETAW = 0x5407,
  TCSETAF = 0x5408, TCSBRK = 0x5409, TCXONC = 0x540a, TCFLSH = 0x540b, TIOCEXCL = 0x540c, TIOCNXCL = 0x540d, TIOCSCTTY = 0x540e, TIOCGPGRP = 0x540f,
  TIOCSPGRP = 0x5410, TIOCOUTQ = 0x5411, TIOCSTI = 0x5412, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414, TIOCMGET = 0x5415,
  TIOCINQ = 0x541b, TIOCNOTTY = 0x5422, TIOCSETD = 0x5423, TIOCGETD = 0x5424, TCSBRKP = 0x5425, TIOCGSID = 0x5429,
  TCGETS2 = 0x802c542a, TCSETS2 = 0x402c542b, TCSETSW2 = 0x402c542c, TCSETSF2 = 0x402c542d,
  TIOCGPTN = 0x80045430, TIOCSPTLCK = 0x40045431, TIOCGDEV = 0x80045432, TIOCVHANGUP = 0x5437, TIOCGPTPEER = 0x5441,
  TIOCPKT = 0x5420, TIOCLINUX = 0x541c, KDGETMODE = 0x4b3b, KDSETMODE = 0x4b3a, KDGKBTYPE = 0x4b33, KDGKBMODE = 0x4b44, KDSKBMODE = 0x4b45,
  VT_OPENQRY = 0x5600, VT_GETMODE = 0x5601, VT_GETSTATE = 0x5603, VT_ACTIVATE = 0x5606, VT_WAITACTIVE = 0x5607,
}

/** Queue selectors of TCFLSH and actions of TCXONC. */
export const enum TcQueue { IFLUSH = 0, OFLUSH = 1, IOFLUSH = 2 }
export const enum TcFlow { OOFF = 0, OON = 1, IOFF = 2, ION = 3 }
