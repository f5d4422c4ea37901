export const root: string;
export function nodeBinary(): string;
