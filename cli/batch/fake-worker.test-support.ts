import { broken, deadly, endless, fakeSimulator, flaky, steady } from "./fake-simulator.test-support.ts";
import { serveOrders } from "./serve-orders.ts";

// What `pool.test.ts` forks.
serveOrders([steady, broken, flaky, deadly, endless], fakeSimulator);
