/**
 * The same items, the next one already under way while the reader is at this one: two cores are busy, and no more than one item waits.
 * What a reader leaves unread is ended.
 * @param cancel makes the item under way fail: without it, that item is waited for
 */
export async function* oneAhead<T>(
  items: AsyncGenerator<T, void, undefined>,
  cancel: () => void,
): AsyncGenerator<T, void, undefined> {
  let next = items.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done === true) return;
      next = items.next();
      // Its failure is met when its turn comes.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    cancel();
    await items.return();
  }
}
