import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';

export type WatchedFilesOptions<T> = {
  readonly files: readonly string[];
  /** Reads and proves the files; throws when they are of no use, and then the value before stays. */
  readonly read: () => T;
  readonly same: (one: T, other: T) => boolean;
  /**
   * How often the files are read when no notice of a change came, in milliseconds. Notices are lost on some network
   * and overlay file systems, and where the file is a link into a folder that is not watched.
   */
  readonly pollMilliseconds?: number | undefined;
  /** Told once of each new reason why changed files were not taken. */
  readonly onProblem: (problem: Error) => void;
};

/** The last good value of files that change. */
export type WatchedFiles<T> = {
  current(): T;
  /** Reads the files now. Returns what became of it: a notice, the poll and tests all come through here. */
  check(): 'taken' | 'unchanged' | 'refused';
  /** Calls `listener` with each new value. Returns what ends the calls. */
  onChange(listener: (value: T) => void): () => void;
  /** Stops looking. `current()` still answers. */
  close(): void;
};

/**
 * Reads files, and reads them again when they change.
 *
 * A Secret volume is changed by renaming the link `..data` in the folder of the files, hence folders are watched, not
 * files.
 * @throws what `read` throws at the start.
 */
export function watchFiles<T>(options: WatchedFilesOptions<T>): WatchedFiles<T> {
  const { files, read, same, onProblem, pollMilliseconds = 60_000 } = options;
  const listeners = new Set<(value: T) => void>();
  let value = read();
  let lastProblem = '';

  const check = (): 'taken' | 'unchanged' | 'refused' => {
    let next: T;
    try {
      next = read();
    } catch (error) {
      const problem = asError(error);
      if (problem.message !== lastProblem) onProblem(problem);
      lastProblem = problem.message;
      return 'refused';
    }
    lastProblem = '';
    if (same(next, value)) return 'unchanged';
    value = next;
    for (const listener of listeners) listener(next);
    return 'taken';
  };

  const watchers = watchFolders(new Set(files.map((file) => dirname(file))), check, onProblem);
  const timer = setInterval(check, pollMilliseconds).unref();
  return {
    current: () => value,
    check,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      clearInterval(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** A folder that cannot be watched (gone, or no more inotify watches) is reported, and the poll goes on. */
function watchFolders(folders: Set<string>, onNotice: () => void, onProblem: (problem: Error) => void): FSWatcher[] {
  return [...folders].flatMap((folder) => {
    try {
      return [watch(folder, { persistent: false }, onNotice).on('error', onProblem)];
    } catch (error) {
      onProblem(asError(error));
      return [];
    }
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
