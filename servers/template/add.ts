/** What the template does, apart from being a server: sums, and how many there were. A handler for each method of its protocol. */
import { TemplateAddReply, TemplateCountReply, TemplateServer } from "../runtime/protocol/template-server.gen";

export class Adder extends TemplateServer {
  private sums: u64 = 0;

  add(a: u64, b: u64, reply: TemplateAddReply): i32 {
    this.sums++;
    reply.sum = a + b;
    return 0;
  }

  count(reply: TemplateCountReply): i32 {
    reply.sums = this.sums;
    return 0;
  }
}
