/** What runs events one after another: a machine's main thread, one of its workers, or the world itself. */
export class Processor {
  /** Keys the order of its events; unique in a run. */
  readonly id: number;
  /** Until then it is working or paused, and events that are due wait. Virtual microseconds. */
  busyUntilUs = 0;
  /** How many events were ever scheduled on it. */
  eventCount = 0;

  constructor(id: number) {
    this.id = id;
  }
}

/**
 * Who an event belongs to. When the owner dies, its events are dropped unseen: timers, completions,
 * deliveries. The world's own life and that of a machine's hardware never end.
 */
export class Life {
  readonly processor: Processor;
  /** Its events do not keep a run going: when nothing else is left to happen, the scenario is stuck. */
  readonly background: boolean;
  alive = true;

  constructor(processor: Processor, background: boolean) {
    this.processor = processor;
    this.background = background;
  }
}
