/* What the pages use of Preact and htm (vendor/README.md). A page is a tree that only Preact looks into, so it has no type of its own. */
export function h(type: any, props: any, ...children: any[]): any;
export function html(strings: TemplateStringsArray, ...values: any[]): any;
export function render(tree: any, into: Element | null): void;
export function createContext<T>(value: T): any;
export function useContext(context: any): any;
export function useState(initial: null): [any, (next: any) => void];
export function useState<S>(initial: S | (() => S)): [S, (next: S | ((before: S) => S)) => void];
export function useState<S = undefined>(): [S | undefined, (next: S | undefined | ((before: S | undefined) => S | undefined)) => void];
export function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useMemo<T>(make: () => T, inputs?: readonly unknown[]): T;
export function useCallback<T extends (...args: any[]) => any>(callback: T, inputs?: readonly unknown[]): T;
export function useRef<T>(initial: T): { current: T };
