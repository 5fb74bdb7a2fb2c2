/*
 * How a text comes from Alice's disk to Bob's, for Spin: "persist, then publish; commit, then PUBACK" (ARCHITECTURE.md).
 *
 * Compiled as it is, the model does as mqttchat does, and no claim at its end can be broken. Each of these makes one
 * mistake, which breaks the claim beside it:
 *   PUBLISH_FIRST    publish, then persist                         key_used_twice
 *   PUBACK_FIRST     acknowledge to the broker, then commit        falsely_on_broker
 *   RECEIPT_FIRST    send the receipt, then commit                 lost
 *   SEEN_IN_MEMORY   know by memory alone what came before         shown_twice
 *   NO_WAITING       show a text though one before it is missing   out_of_order
 * With BROKER_FORGETS the broker loses what it has acknowledged: then one tick may be untrue, and nothing else.
 *
 * Whatever can happen happens at any moment and any number of times. A d_step on a disk is one transaction. Each frame
 * carries one text, so that a text's number in the conversation is that of its message key.
 */

#define TEXTS 2
#define ANY(step) step(0) step(1)
#define SOME(claim) (claim(0) || claim(1))
#define CLEAR(memory) memory[0] = false; memory[1] = false

/* kill -9: what follows is not done, and what is in memory is gone. Who is idle loses no more by it than the line. */
#define MAY_DIE if :: true :: goto dead fi

mtype = { unwritten, queued, on_broker, delivered }

/* Alice's disk: the next message key, and by key what she is shown of a text. `send` resolves when it is queued. */
byte chain
mtype state[TEXTS] = unwritten
#define IN_OUTBOX(key) (state[key] == queued || state[key] == on_broker)

/* Frames and PUBACKs between Alice and the broker; gone with the line. */
bool published[TEXTS], taken[TEXTS]

/* The broker's disk. */
bool queue[TEXTS]

/* Bob's disk. Each text before `next` is shown, or a line says that it is missing. */
bool inbox[TEXTS], missing[TEXTS]
byte next

/* Receipts, on Bob's disk or on their way. */
bool receipt[TEXTS]

/* What a bystander has noted: the keys under which a frame was seen, and how often a text was shown. */
bool used[TEXTS]
byte shown[TEXTS]
bool key_used_twice, out_of_order

inline publish(key) {
  d_step { published[key] = true; used[key] = true }
}

#define CARRY(key) :: IN_OUTBOX(key) && !published[key] && !taken[key] -> publish(key)
#define HEAR_BROKER(key) \
  :: d_step { taken[key] -> taken[key] = false; if :: state[key] == queued -> state[key] = on_broker :: else fi }
#define HEAR_BOB(key) :: receipt[key] && IN_OUTBOX(key) -> state[key] = delivered

active proctype Alice() {
  byte key;
dead:
  key = 0;
end:
  do
  :: chain < TEXTS ->
     /* It seals a new text: after a crash, another one than before. */
     d_step { key = chain; key_used_twice = used[key] };
     MAY_DIE;
#ifdef PUBLISH_FIRST
     publish(key);
     MAY_DIE;
#endif
     d_step { state[key] = queued; chain++; key = 0 }
  ANY(CARRY)
  ANY(HEAR_BROKER)
  ANY(HEAR_BOB)
  od
}

#define TAKE(key) :: d_step { published[key] -> published[key] = false; taken[key] = true; queue[key] = true }
#define REPLAY(key) :: used[key] && !queue[key] -> queue[key] = true
#define LOSE_RECEIPT(key) :: receipt[key] -> receipt[key] = false

/* It delivers in any order, breaks lines, and plays old sessions again. */
active proctype Broker() {
end:
  do
  ANY(TAKE)
  ANY(REPLAY)
  ANY(LOSE_RECEIPT)
  :: d_step { CLEAR(published); CLEAR(taken) }
#ifdef BROKER_FORGETS
  :: d_step { CLEAR(queue) }
#endif
  od
}

inline display(number) {
  out_of_order = out_of_order || (number > 0 && shown[number - 1] == 0 && !missing[number - 1]);
  shown[number]++
}

/* What waited for the text that came, or for the line in its place. */
inline display_waiting() {
  do
  :: next < TEXTS && inbox[next] -> display(next); next++
  :: else -> break
  od
}

#ifdef SEEN_IN_MEMORY
bool seen[TEXTS]
#define CAME_BEFORE(key) seen[key]
#define REMEMBER(key) seen[key] = true
#else
#define CAME_BEFORE(key) inbox[key]
#define REMEMBER(key) skip
#endif

inline commit(key) {
  d_step {
    receipt[key] = true;
    if
    :: CAME_BEFORE(key)
    :: else ->
       inbox[key] = true;
       REMEMBER(key);
       if
       :: key < next -> display(key)
#ifdef NO_WAITING
       :: key > next -> display(key)
#endif
       :: else -> display_waiting()
       fi
    fi
  }
}

inline receive() {
  MAY_DIE;
#ifdef PUBACK_FIRST
  queue[key] = false;
  MAY_DIE;
#endif
#ifdef RECEIPT_FIRST
  receipt[key] = true;
  MAY_DIE;
#endif
  commit(key);
  MAY_DIE;
#ifndef PUBACK_FIRST
  queue[key] = false;
#endif
  key = 0
}

#define HEAR(frame) :: queue[frame] -> key = frame; receive()
#define WAITS(key) (key > next && inbox[key])

active proctype Bob() {
  byte key;
dead:
  key = 0;
#ifdef SEEN_IN_MEMORY
  CLEAR(seen);
#endif
end:
  do
  ANY(HEAR)
  /* He has waited long enough. */
  :: d_step { SOME(WAITS) -> missing[next] = true; next++; display_waiting(); skip }
  od
}

/* Not on the disks where they have to be, as if everybody died right now. */
#define LOST(key) (state[key] != unwritten && !IN_OUTBOX(key) && !inbox[key])
#define FALSELY_ON_BROKER(key) (state[key] == on_broker && !queue[key] && !inbox[key])
#define SHOWN_TWICE(key) (shown[key] > 1)
bool lost, falsely_on_broker, shown_twice

/* The claims: whatever happens, none of these steps can be taken. */
active proctype Law() {
end:
  do
  :: d_step { key_used_twice -> assert(!key_used_twice) }
  :: d_step { SOME(LOST) -> lost = true; assert(!lost) }
#ifndef BROKER_FORGETS
  :: d_step { SOME(FALSELY_ON_BROKER) -> falsely_on_broker = true; assert(!falsely_on_broker) }
#endif
  :: d_step { SOME(SHOWN_TWICE) -> shown_twice = true; assert(!shown_twice) }
  :: d_step { out_of_order -> assert(!out_of_order) }
  od
}
