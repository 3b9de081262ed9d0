// The whole of what a site changes in OHIF 3.13 to use it with this archive. OHIF's files and the archive are served under one
// origin (any reverse proxy: /dicom-web and /session to the archive, all else from the folder). The session cookie then goes with
// every request, those of the byte ranges too, which carry no Authorization header.
(() => {
  // A site whose people sign in at the archive's own page leaves this out: the cookie is there.
  const token = '__TOKEN__';
  const signIn = new XMLHttpRequest();
  signIn.open('POST', '/session', false);
  signIn.setRequestHeader('Content-Type', 'application/json');
  signIn.send(JSON.stringify({ token }));
})();

window.config = {
  routerBasename: '/',
  showStudyList: true,
  extensions: [],
  modes: [],
  maxNumberOfWebWorkers: 3,
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: false,
  maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
  defaultDataSourceName: 'tsunagu',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'tsunagu',
      configuration: {
        friendlyName: 'Tsunagu',
        name: 'tsunagu',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        wadoUriRoot: '/dicom-web',
        qidoSupportsIncludeField: true,
        supportsFuzzyMatching: true,
        supportsWildcard: true,
        imageRendering: 'wadors',
        thumbnailRendering: 'thumbnail',
        thumbnailRequestStrategy: 'fetch',
        enableStudyLazyLoad: true,
        bulkDataURI: { enabled: true },
        singlepart: 'bulkdata,video,pdf',
      },
    },
  ],
};
