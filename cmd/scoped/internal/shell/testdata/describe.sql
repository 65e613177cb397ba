\d
\dt co*
\dt public.post
\d post
\d public."comment"
\d secret
\d unlisted
