import { afterAll, beforeAll } from 'vitest';
import { type Cluster, cluster } from '../../cluster/cluster.ts';
import { type Mesh, startMesh } from '../../cluster/mesh/mesh.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';

/** A cluster that Sluice is installed in, with Istio and Envoy in front of it. */
export type Front = {
  readonly server: Cluster;
  /** There once the tests of the file begin. */
  mesh(): Mesh;
};

/** To be called at the top of a test file: what is started goes after the file's last test. */
export function front(): Front {
  const server = cluster();
  let mesh: Mesh | undefined;
  let sluice: Installed | undefined;
  beforeAll(async () => {
    mesh = await startMesh(server);
    sluice = await installSluice(server);
  });
  afterAll(async () => {
    await sluice?.uninstall();
    await mesh?.stop();
  });
  afterAll(() => expectNoTakenFields(server.client));
  return {
    server,
    mesh() {
      if (mesh === undefined) throw new Error('the mesh is started before the first test');
      return mesh;
    },
  };
}
