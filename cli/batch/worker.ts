import { nodeSimulator } from "./node-simulator.ts";
import { serveOrders } from "./serve-orders.ts";
import { scenarios } from "../../scenarios/index.ts";

// The process that `pool.ts` forks: runs what the parent orders until the parent lets go.
serveOrders(scenarios, nodeSimulator);
