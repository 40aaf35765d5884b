/**
 * What terminals ask of signals and job control; the process services install the answers (ttySignalsSet).
 *
 *   slot            Tty.lock may be held   answers
 *   group           yes                    signals every member of a process group; never sleeps
 *   isHeld          no                     the running task ignores or blocks the signal
 *   isOrphaned      no                     no member of the group has a parent elsewhere in the session (POSIX: orphaned)
 *   groupInSession  no                     some process of the session is in the group
 *   forgetSession   no                     clears Process.ctty of every process of the session
 *   sessionLeader   no                     signals the leader of a session
 */
@final @unmanaged
export class TtySignals {
  group: (pgid: u32, signal: u32) => void;
  isHeld: (signal: u32) => bool;
  isOrphaned: (pgid: u32) => bool;
  groupInSession: (pgid: u32, sid: u32) => bool;
  forgetSession: (sid: u32) => void;
  sessionLeader: (sid: u32, signal: u32) => void;
}

export const TTY_SIGNALS = changetype<TtySignals>(memory.data(offsetof<TtySignals>()));
