import { fakeSimulator, steady } from "./fake-simulator.test-support.ts";
import { serveOrders } from "./serve-orders.ts";

// What a batch forks that must inject two kinds of fault and no other.
serveOrders([steady], fakeSimulator);
