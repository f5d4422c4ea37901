import '@fontsource-variable/inter/wght.css';
import { mount } from 'svelte';
import App from './App.svelte';
import Unreachable from './components/Unreachable.svelte';
import { toErrorReport } from '../core/contract/errors.ts';
import { connect } from './lib/client.ts';
import { offerFonts } from './lib/fonts.ts';
import './styles/tokens.css';
import './styles/base.css';

const target = document.querySelector('#app');
if (target === null) throw new Error('index.html has no #app');

offerFonts();
try {
  const client = await connect();
  mount(App, { target, props: { client } });
} catch (thrown) {
  mount(Unreachable, { target, props: { error: toErrorReport(thrown) } });
}
